"""Whatever is asked, the API answers as it says it does: generated requests, valid and not, and never a 5xx."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings

from orchestration.api import root
from orchestration.workspaces.models import Workspace
from tests.api.test_figures import Api, refund
from tests.scenes import scene

# What makes requests is imported by the tests: all processes collect them, one runs them, and it takes half a second.
# As long takes the schema; so what there is to ask comes from what the schema is made from.
if TYPE_CHECKING:
    from schemathesis import Case
    from schemathesis.specs.openapi.schemas import OpenApiSchema

pytestmark = pytest.mark.django_db
ASKED = (
    f"/api/v1{prefix}{re.sub(r'{[a-z]+:', '{', path)}"
    for prefix, router in root.api._routers
    for path, ways in router.path_operations.items()
    if any("GET" in way.methods for way in ways.operations)
)
QUESTIONS = sorted([*ASKED, "/api/v1/claims/{id}"])  # which has a door of its own


@pytest.fixture
def kept(db: None) -> Iterator[None]:
    """The application answers on the test's own connection, which it must not close when an answer is done."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def happen() -> None:
    refund(Workspace.objects.create(slug="default", name="Default"))


happened = scene(happen)


@pytest.fixture
def api(kept: None, workspace: Workspace) -> Api:
    return Api(workspace, "read")


@pytest.fixture(scope="module")
def described() -> Any:
    return root.api.get_openapi_schema()


@pytest.fixture(scope="module")
def schema(described: Any) -> OpenApiSchema:
    import schemathesis  # noqa: PLC0415

    made = schemathesis.openapi.from_dict(described)
    made.app = WSGIHandler()
    return made


# Drawn at random, beside the cases made for each parameter: what these take is a language of its own, or two figures
# that belong together. Elsewhere what is drawn goes the ways of the cases that were made.
LANGUAGES = {"/api/v1/runs": 10, "/api/v1/ledger/checkpoints/{size}/consistency": 10}


def thorough(path: str) -> settings:
    drawn = 25 if os.environ.get("EXPLORE") else LANGUAGES.get(path, 0)
    return settings(
        max_examples=drawn or 1,
        deadline=None,
        phases=[Phase.explicit, Phase.generate] if drawn else [Phase.explicit],
        suppress_health_check=list(HealthCheck),
    )


def test_each_question_that_is_described_is_asked(described: Any) -> None:
    assert sorted(path for path, ways in described["paths"].items() if "get" in ways) == QUESTIONS


# Made in the test and not by `schema.parametrize`, which draws all cases of all questions while tests are collected.
@pytest.mark.parametrize("path", QUESTIONS)
def test_every_question_has_an_answer(path: str, api: Api, schema: OpenApiSchema) -> None:
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415
    from schemathesis.generation.feedback import NO_FEEDBACK  # noqa: PLC0415
    from schemathesis.pytest._test_builder import build_operation_test  # noqa: PLC0415
    from schemathesis.specs.openapi import checks  # noqa: PLC0415

    promises = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]

    # each value is read for itself: one refused alone is refused among others too, before any of them is used
    refused: set[tuple[str, str]] = set()

    def ask(case: Case[Any]) -> None:
        given = {(name, str(value)) for name, value in (case.query or {}).items()}
        if case.method == "GET" and given & refused:
            return
        response = case.call(headers={"Authorization": f"Bearer {api.key}", "Accept-Encoding": "identity"})
        case.validate_response(response, checks=promises)
        if len(given) == 1 and response.status_code == 422:
            refused.update(given)

    build_operation_test(
        config=schema.config,
        operation=schema[path]["get"],
        test_func=thorough(path)(ask),
        given_kwargs={},
        feedback=NO_FEEDBACK,
    )()
