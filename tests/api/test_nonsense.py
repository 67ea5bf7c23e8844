"""Whatever is asked, the API answers as it says it does: requests that fit and that do not, and never a 5xx."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection
from functools import cache
from random import Random
from typing import Any

import jsonschema_rs
import orjson
import pytest

from orchestration.api import root
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.api.asked import UUID, Asked, Question, parameters
from tests.api.test_figures import Api, refund
from tests.dashboard.governed import SECRET, govern
from tests.scenes import scene

pytestmark = pytest.mark.django_db
QUESTIONS = sorted(
    f"/api/v1{prefix}{re.sub(r'{[a-z]+:', '{', path)}"
    for prefix, router in root.api._routers
    for path, ways in router.path_operations.items()
    if any("GET" in way.methods for way in ways.operations)
)
OWN_DOOR = "/api/v1/claims/{id}"  # which is asked by tests of its own
NONE_THERE = {"/api/v1/actions/orders/{order_id}", "/api/v1/ledger/checkpoints/{size}/consistency"}
# Drawn at random, beside what is asked of each parameter: several at once. What some take is a language of its own, or
# two figures that belong together.
LANGUAGES = {"/api/v1/runs": 20, "/api/v1/ledger/checkpoints/{size}/consistency": 10}
EXPLORE = bool(os.environ.get("EXPLORE"))
THERE: dict[str, str] = {}  # what fills the holes of addresses


def happen() -> None:
    space = make.workspace()
    run, made = refund(space), govern(space, User.objects.create_user("author"))
    THERE.update({f"{name}_id": str(value) for name, value in made.names.items()})
    THERE.update(run_id=str(run.id), declared_run_id=str(made.declared), policy_id=SECRET, workflow_id="refund")
    THERE.update(agent_id="desk-refund", system_id="payments", order_id=UUID, size="1")


happened = scene(happen)


@pytest.fixture
def api(workspace: Workspace) -> Api:
    return Api(workspace, "read")


@pytest.fixture(scope="module")
def described() -> Any:
    return json.loads(json.dumps(root.api.get_openapi_schema()))  # with statuses as they are sent


@pytest.fixture(scope="module")
def asked(described: Any) -> dict[str, Asked]:
    """Each question by its path. What a parameter may not have is asked in full of the first that has such a one."""
    found: dict[str, Asked] = {}
    seen: set[str] = set()
    for path in QUESTIONS:
        ways = described["paths"][path]
        fresh = {name: repr((name, schema)) for name, schema in parameters(ways, "query").items()}
        there = THERE | {"run_id": THERE["declared_run_id"]} if path.endswith("/steps") else THERE
        found[path] = Asked(path, ways, there, {name for name, told in fresh.items() if told not in seen}, not seen)
        seen |= set(fresh.values())
    return found


@pytest.fixture(scope="module")
def promised(described: Any) -> Callable[[str, str, str], Any]:
    """What an answer was said to be, by path, status and type of content; None if nothing was."""

    @cache
    def like(schema: str) -> Any:
        return jsonschema_rs.validator_for(json.loads(schema) | {"components": described["components"]})

    def look(path: str, status: str, content_type: str) -> Any:
        content = described["paths"][path]["get"]["responses"].get(status, {}).get("content", {}).get(content_type)
        return content and like(json.dumps(content["schema"]))

    return look


def test_each_question_that_is_described_is_asked(described: Any) -> None:
    assert sorted(path for path, ways in described["paths"].items() if "get" in ways) == sorted([*QUESTIONS, OWN_DOOR])


@pytest.mark.parametrize("path", QUESTIONS)
def test_every_question_has_an_answer(
    path: str, api: Api, asked: dict[str, Asked], promised: Callable[[str, str, str], Any]
) -> None:
    statuses = {}
    many = 100 if EXPLORE else LANGUAGES.get(path, 0)
    for question in (*asked[path].questions(), *asked[path].drawn(Random(None if EXPLORE else path), many)):
        headers = {"authorization": f"Bearer {api.key}"} if question.with_key else {}
        answer = api.client.generic(question.method, question.address, headers=headers)

        status, kind = answer.status_code, answer["Content-Type"].partition(";")[0]
        found = promised(path, str(status), kind)
        assert found, f"{question}: {status} {kind} is not described"
        found.validate(orjson.loads(answer.content))
        assert status in expected(question), f"{question}: {status}"
        statuses[question] = status

    usual = next(iter(statuses.values()))
    assert usual == (404 if path in NONE_THERE else 200), next(iter(statuses))


def expected(question: Question) -> Collection[int]:
    if question.method != "GET":
        return [405]
    if not question.with_key:
        return [401]
    return [422] if question.fits is False else [200, 404] if question.fits else [200, 404, 422]
