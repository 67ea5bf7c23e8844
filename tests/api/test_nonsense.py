"""Whatever is asked, the API answers as it says it does: generated requests, valid and not, and never a 5xx."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from orchestration.api import root
from orchestration.workspaces.models import Workspace
from tests.api.test_figures import Api, refund

pytestmark = pytest.mark.django_db
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def kept(db: None) -> Iterator[None]:
    """The application answers on the test's own connection, which it must not close when an answer is done."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def api(kept: None, workspace: Workspace) -> Api:
    refund(workspace)
    return Api(workspace, "read")


DESCRIBED = root.api.get_openapi_schema()
QUESTIONS = sorted(path for path, ways in DESCRIBED["paths"].items() if "get" in ways)
schema = schemathesis.openapi.from_dict(DESCRIBED)
schema.app = WSGIHandler()
# Drawn at random, beside the cases made for each parameter: what these take is a language of its own, or two figures
# that belong together. Elsewhere what is drawn goes the ways of the cases that were made.
LANGUAGES = {"/api/v1/runs": 10, "/api/v1/ledger/checkpoints/{size}/consistency": 10}


def thorough(path: str) -> settings:
    return settings(
        max_examples=25 if os.environ.get("EXPLORE") else LANGUAGES.get(path, 2),
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


# Made in the test and not by `schema.parametrize`, which draws all cases of all questions while tests are collected.
@pytest.mark.parametrize("path", QUESTIONS)
def test_every_question_has_an_answer(path: str, api: Api) -> None:
    def ask(case: Case[Any]) -> None:
        response = case.call(headers={"Authorization": f"Bearer {api.key}", "Accept-Encoding": "identity"})
        case.validate_response(response, checks=CHECKS)

    build_operation_test(
        config=schema.config,
        operation=schema[path]["get"],
        test_func=thorough(path)(ask),
        given_kwargs={},
        feedback=NO_FEEDBACK,
    )()
