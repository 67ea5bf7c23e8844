# Baton. `make` lists what there is.
.DEFAULT_GOAL := help
CHECKS := types lint imports templates migrations deployment audit
.PHONY: help demo run test check bench judge stories lock clean $(CHECKS:%=check-%)
PY := .venv/bin/python
# How many processes share the test suite, 0 for none but pytest itself. One more than there are processors, since a third
# of their time they wait: for a browser, an engine, each other.
N := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Compiling every module anew would double the time of each start.
unexport PYTHONDONTWRITEBYTECODE
# CPython before 3.14 does not tell `python3` apart by version on every system, so names are tried in turn.
FIND_PYTHON = for p in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done
COMPILE = $(PY) -m uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: .venv/ready ## Everything, with simulated agents; Ctrl-C ends it
	@exec $(PY) manage.py up --demo

run: .venv/ready ## The same without demo data, for real use on one machine
	@exec $(PY) manage.py up

test: .venv/ready-dev ## The whole test suite, on its own throw-away PostgreSQL and Valkey
	@$(PY) -m pytest -q -n $(N) --maxprocesses 6

check: .venv/ready-dev ## Format, lint, types, import order, templates, migrations, deployment, dependency audit
	@$(MAKE) --no-print-directory -j 4 $(CHECKS:%=check-%)

# The longest first; the others beside it.
check-types:
	@.venv/bin/mypy
check-lint:
	@.venv/bin/ruff format --check --quiet . && .venv/bin/ruff check --quiet .
check-imports:
	@.venv/bin/lint-imports --no-logo
check-templates:
	@.venv/bin/djlint templates --lint --quiet
check-migrations:
	@$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
check-deployment:
	@$(PY) -m tests.deployment
check-audit:
	@$(PY) -m tests.audit

bench: .venv/ready-dev ## The benchmarks, as a table with ratios
	@$(PY) -m tests.bench

judge: .venv/ready-dev ## Agreement with the truth of published data, as a table (DATA=FOLDER)
	@[ -n "$(DATA)" ] || { echo "Name the folder with the data sets: make judge DATA=FOLDER"; exit 1; }
	@$(PY) -m tests.judge "$(DATA)"

stories: .venv/ready-dev .venv/stories/ready ## Agents of real frameworks are held, a person decides, they go on
	@$(PY) -m tests.stories $(STORY)

lock: .venv/ready-dev ## Make the locks anew from pyproject.toml
	$(COMPILE) $(UPGRADE) pyproject.toml -o requirements.txt
	$(COMPILE) $(UPGRADE) --group dev pyproject.toml -c requirements.txt -o requirements-dev.txt
	$(COMPILE) $(UPGRADE) --group stories -o requirements-stories.txt

clean: ## Remove the virtual environment and caches; data in var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
	  echo "Baton needs Python 3.11 or newer with venv (Debian, Ubuntu: apt-get install python3-venv)."; exit 1; fi; \
	"$$python" -m venv .venv

.venv/ready: requirements.txt requirements-uv.txt | .venv/bin/python
	@$(INSTALL) requirements.txt
	@touch $@

.venv/ready-dev: requirements-dev.txt requirements.txt requirements-uv.txt | .venv/bin/python
	@$(INSTALL) requirements-dev.txt
	@touch .venv/ready $@

.venv/stories/ready: requirements-stories.txt requirements-uv.txt | .venv/ready
	@[ -x .venv/stories/bin/python ] || $(PY) -m venv .venv/stories
	@$(INSTALL) requirements-stories.txt .venv/stories/bin/python
	@touch $@

# uv where it can be had, since it takes seconds; pip where not. Either insists on the hashes of the lock.
INSTALL = install() { \
	  echo "Installing $$1 …"; \
	  [ -w "$${HOME:-/nowhere}" ] || export UV_CACHE_DIR=.venv/cache PIP_NO_CACHE_DIR=1; \
	  [ -x .venv/bin/uv ] || $(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.txt 2>/dev/null || true; \
	  python=$${2:-$(PY)}; \
	  if [ -x .venv/bin/uv ] && .venv/bin/uv pip install -q --python "$$python" --require-hashes -r "$$1"; then return; fi; \
	  "$$python" -m pip install -q --disable-pip-version-check --require-hashes -r "$$1"; }; install
