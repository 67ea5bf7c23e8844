"""Whatever is asked, the API answers as it says it does: generated requests, valid and not, and never a 5xx."""

from __future__ import annotations

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


schema = schemathesis.openapi.from_dict(root.api.get_openapi_schema())
schema.app = WSGIHandler()


@schema.include(method="GET").parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_question_has_an_answer(case: Case[Any], api: Api) -> None:
    response = case.call(headers={"Authorization": f"Bearer {api.key}", "Accept-Encoding": "identity"})

    case.validate_response(response, checks=CHECKS)
