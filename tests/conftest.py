"""What every test may ask for: the engines, a workspace, people.

The suite runs on its own PostgreSQL and Valkey, started when the first test asks and thrown away at the end; or on the
servers that DATABASE_URL and REDIS_URL name.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

gc.disable()  # until all is imported and collected, which stays: to look through it took a quarter of that time
# before Django's settings are read: pytest-django does that after this file
FOLDER = Path(tempfile.mkdtemp(prefix="baton-tests-"))
FOLDER.chmod(0o711)  # as root PostgreSQL runs as another account, which has to reach it
for name in [name for name in os.environ if name.startswith("BATON_")]:
    del os.environ[name]  # what the developer's own Baton is told
os.environ["BATON_STATE"] = str(FOLDER / "state")
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestration.config.settings"

import django
import hypothesis
import pytest
from django.test import Client

django.setup()

from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from orchestration.autonomy import limits
from orchestration.config import engines as embedded
from orchestration.config import env
from orchestration.control import firing, routes
from orchestration.registry import labels, prices, resolve
from orchestration.routing import limits as routing_limits
from orchestration.telemetry import recent, retention
from orchestration.workspaces.models import Membership, User, Workspace
from tests import lean, make, prepared, sharing
from tests.api.door import Server
from tests.emptying import empty, lost

settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one is slow, on purpose
TransactionTestCase._fixture_teardown = empty  # type: ignore[attr-defined]
TransactionTestCase._should_reload_connections = lost  # type: ignore[attr-defined]
# The same examples each time: what fails is then what was changed. EXPLORE tries others, and more of them.
EXPLORE = bool(os.environ.get("EXPLORE"))
hypothesis.settings.register_profile(
    "suite", derandomize=not EXPLORE, max_examples=200 if EXPLORE else 60, deadline=None
)
hypothesis.settings.load_profile("suite")
# the first one has no windows, which take two fifths of the others' work
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in BROWSERS if (found := shutil.which(name))), "")


def pytest_configure(config: pytest.Config) -> None:
    """Processes that share the suite inherit our environment. With the settings named in it they would read them before
    this file gave them engines of their own."""
    if getattr(config.option, "numprocesses", None):
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)
        prepared.begin(FOLDER / "prepared")
    lean.say_how_each_test_ended(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return sharing.scheduler(config, log)


@pytest.hookimpl(trylast=True)  # after the order was made random
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: sharing.rank(item.nodeid))
    if not CHROMIUM:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no Chromium"))


def pytest_collectstart(collector: pytest.Collector) -> None:
    if collector.path == Path(__file__).parent:
        sharing.compile_own_share(collector.config)


def pytest_collection_finish() -> None:
    lean.leave_alone_what_stays()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "browser" in report.keywords]
    if skipped and not CHROMIUM:
        how = "install Chromium (Debian, Ubuntu: apt-get install chromium) to run them"
        terminalreporter.write_line(f"{len(skipped)} browser tests were skipped: {how}.")


@pytest.fixture(scope="session", autouse=True)
def plain_pages(django_test_environment: None) -> None:
    lean.draw_templates_plainly()
    lean.look_for_static_files_once()
    lean.log_in_by_one_row()
    lean.send_forms_as_browsers_do()
    lean.look_at_constraints_once()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program that browser tests drive; they are marked `browser` and skipped when there is none."""
    return CHROMIUM


@pytest.fixture(scope="session")
def engines() -> Iterator[None]:
    """PostgreSQL and Valkey; asked for by the database fixtures, and by what needs the broker alone."""
    laid = prepared.lay(settings.STATE)
    with embedded.attached(settings.STATE, durable=False, lasting=False):
        if laid:
            prepared.take_as_database_of_tests(settings.STATE)
        yield


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Engines of our own are thrown away as a whole."""
    return not env.secret("DATABASE_URL")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(engines: None) -> None:
    """Where pytest-django lets a project prepare: the database is made after this."""


def pytest_unconfigure() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Tests that commit end with all tables emptied, which the ledger forbids; that one guard sleeps meanwhile. And the
    days that most tests write to have their partitions, which each would make and roll back again."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        retention.ensure_partitions(*(datetime.now(UTC).date() + timedelta(days=days) for days in (-2, 1)))
        for table in ("ledger_entry", "ledger_link", "ledger_block", "ledger_checkpoint"):
            cursor.execute(f"alter table {table} disable trigger {table}_whole")


@pytest.fixture(scope="session")
def served(django_db_setup: None) -> Iterator[int]:
    """The port of the served application. One for all: its doors are the process's own."""
    server = Server()
    yield server.start()
    server.stop()


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make.workspace()


def person(workspace: Workspace, name: str, *roles: str) -> User:
    user = User.objects.create_user(username=name, password=f"{name}-password-12")
    if roles:
        Membership.objects.create(user=user, workspace=workspace, roles=list(roles), sees_content="admin" in roles)
    return user


@pytest.fixture
def operator(workspace: Workspace) -> User:
    return person(workspace, "operator", "operator")


@pytest.fixture
def reviewer(workspace: Workspace) -> User:
    return person(workspace, "reviewer", "reviewer")


@pytest.fixture
def admin(workspace: Workspace) -> User:
    return person(workspace, "admin", "admin")


@pytest.fixture
def stranger(db: None) -> User:
    """Somebody with an account, and with a workspace of another tenant."""
    return person(make.workspace("elsewhere"), "stranger", "admin")


@pytest.fixture
def as_operator(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Names, prices and days held in memory must not outlive the rows of a test, nor heads of its ledger."""
    yield
    shutil.rmtree(FOLDER / "state" / "checkpoints", ignore_errors=True)
    for memory in (resolve, labels, prices, recent, retention, limits, routing_limits, routes, firing):
        memory.forget()
