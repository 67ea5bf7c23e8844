"""What failed for good in a declared run is tried again over HTTP, by keys that may work."""

from __future__ import annotations

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from orchestration.ledger.models import Entry
from orchestration.workflows.declared_models import DeclaredRun, Effect
from orchestration.workspaces.models import Workspace
from tests.api.test_figures import Api
from tests.control import flows

pytestmark = pytest.mark.django_db


def post(api: Api, address: str, body: Any) -> Any:
    headers = {"authorization": f"Bearer {api.key}"}
    return api.client.post(f"/api/v1/{address}", body, content_type="application/json", headers=headers)


@pytest.fixture
def failed(workspace: Workspace) -> DeclaredRun:
    flows.declare(workspace, flows.undoable("book"), flows.step("pay", "book"))
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace))
    flows.lose(workspace, flows.one(workspace))
    return run


def test_a_step_is_tried_again_once_for_one_failure(workspace: Workspace, failed: DeclaredRun) -> None:
    api, address = Api(workspace, "work", "read"), f"runs/{failed.id}/steps/pay/retry"
    told = api.get(f"runs/{failed.id}/steps").json()["steps"][1]
    body = {"reason": "The bank is back", "failed_at": told["ended_at"]}

    answers = [post(api, address, body).json() for _ in range(2)]

    assert [(each["state"], each["steps"][1]["state"]) for each in answers] == [("running", "ready")] * 2
    assert Entry.objects.filter(kind="step.tried_again").count() == 1
    flows.lose(workspace, flows.one(workspace))
    assert post(api, address, body).json()["state"] == "failed"
    assert post(api, address, {}).json()["state"] == "running"


def test_taking_an_effect_back_is_tried_again(workspace: Workspace, failed: DeclaredRun) -> None:
    api = Api(workspace, "work")
    post(api, f"runs/{failed.id}/rollback", {})
    flows.lose(workspace, flows.one(workspace))
    address = f"runs/{failed.id}/effects/{Effect.objects.get().id}/retry"

    assert post(api, address, {"reason": "Open again"}).json()["effects"][0]["state"] == "asked"
    assert post(api, address, {}).json()["state"] == "undoing"


def test_what_did_not_fail_or_is_not_there_is_refused(workspace: Workspace, failed: DeclaredRun) -> None:
    api, reader = Api(workspace, "work"), Api(workspace, "read")

    assert post(api, f"runs/{failed.id}/steps/book/retry", {}).status_code == 409
    assert post(api, f"runs/{failed.id}/steps/none/retry", {}).status_code == 409
    assert post(api, f"runs/{uuid7()}/steps/pay/retry", {}).status_code == 404
    assert post(api, f"runs/{failed.id}/effects/{uuid7()}/retry", {}).status_code == 409
    assert post(api, f"runs/{failed.id}/steps/pay/retry", {"failed_at": "soon"}).status_code == 422
    assert post(reader, f"runs/{failed.id}/steps/pay/retry", {}).status_code == 403
