"""What starts a workflow: written in its editor, shown on its page, paused with a reason; and the same by API."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.workflow_forms import of_body
from orchestration.control import firing
from orchestration.workflows import arming
from orchestration.workflows.declared_models import DefinitionVersion
from orchestration.workflows.definition import parse
from orchestration.workflows.trigger_models import Firing, WorkflowTrigger
from orchestration.workspaces.models import Workspace
from tests import make
from tests.api.test_figures import Api
from tests.control import flows
from tests.dashboard.conftest import region
from tests.dashboard.test_workflow_edit import form

pytestmark = pytest.mark.django_db
ADDRESS = "/workflows/refund/triggers/"
CLOCK = {"on": "schedule", "cron": "30 6 * * 1-5", "zone": "Europe/Berlin", "missed": "start", "input": {"limit": 5}}


@pytest.fixture
def trigger(workspace: Workspace) -> WorkflowTrigger:
    make.workflow(workspace, "Refund")
    flows.declare(workspace, flows.step("a"), triggers=[CLOCK])
    return WorkflowTrigger.objects.get()


def text(client: Client, path: str = ADDRESS, **headers: str) -> str:
    return " ".join(client.get(path, headers=headers).content.decode().split())


def test_triggers_survive_the_form_unchanged() -> None:
    told = [
        CLOCK,
        {"on": "run", "workflow": "Invoices", "ends": "either"},
        {"on": "rule", "rule": "x", "most_an_hour": 5},
    ]
    body = parse({"name": "Refund", "triggers": told, "steps": [flows.step("a")]}).stored()

    assert parse(of_body(body).body([])).stored() == body


def test_the_editor_stores_what_is_chosen_and_says_it_in_words(as_admin: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Refund")
    body = parse({"name": "Refund", "steps": [flows.step("a")]}).stored()
    clock = {f"t0-{name}": value for name, value in (CLOCK | {"input": '{"limit": 5}'}).items()}
    sent = form(of_body(body)) | clock | {"t1-on": "", "t1-cron": "typed and left"}

    page = as_admin.post("/workflows/refund/edit/", sent | {"do": "check"}).content.decode()
    as_admin.post("/workflows/refund/edit/", sent | {"do": "save"})

    assert "At 06:30 on Monday through Friday (Europe/Berlin)" in page
    assert DefinitionVersion.objects.get().body["triggers"] == [{"on": "api"}, CLOCK]


def test_what_is_wrong_with_a_trigger_stands_beside_its_field(as_admin: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Refund")
    body = parse({"name": "Refund", "steps": [flows.step("a")]}).stored()
    for wrong, words in (
        ({"t0-on": "schedule", "t0-cron": "often"}, "Five parts"),
        ({"t0-on": "run", "t0-workflow": "Refund"}, "by its own end"),
        ({"t0-on": "rule", "t0-rule": "x", "t0-input": "{"}, "Write it as JSON"),
        ({"t0-on": "rule", "t0-rule": "x", "t0-most_an_hour": "many"}, "whole number from 1 to 10000"),
        ({"t0-on": "moon"}, "One of"),
    ):
        answer = as_admin.post("/workflows/refund/edit/", form(of_body(body)) | wrong | {"do": "save"})
        assert answer.status_code == 422
        assert words in answer.content.decode()


def test_the_page_says_what_starts_it_and_what_came_of_it(as_operator: Client, trigger: WorkflowTrigger) -> None:
    WorkflowTrigger.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    firing.sweep()

    page = text(as_operator)

    assert "1 trigger starts" in page
    assert "At 06:30 on Monday through Friday (Europe/Berlin)" in page
    assert ">Started<" in page
    alone = text(as_operator, **region("triggers"))
    assert alone[: alone.index("What came of them")] in page


def test_the_page_says_what_is_over_its_limit_and_why_something_was_not_started(
    as_operator: Client, workspace: Workspace
) -> None:
    make.workflow(workspace, "Refund")
    flows.declare(workspace, flows.step("a"), triggers=[{"on": "rule", "rule": "x", "most_an_hour": 1}])
    row = WorkflowTrigger.objects.get()
    for name, depth in (("one", 0), ("two", 0), ("deep", firing.DEEP)):
        told: dict[str, Any] = {"run": str(UUID(int=depth))} if depth else {}
        named = {"workspace": workspace, "trigger": row, "due_at": timezone.now()}
        Firing.objects.create(**named, occurrence=f"before {name}", state="missed", depth=depth, run_id=UUID(int=depth))
        Firing.objects.create(**named, occurrence=name, told=told)

    firing.sweep()

    page = text(as_operator)
    assert "1 of them over the limit" in page
    assert "1 of at most 1 runs in the last hour; 1 more time nothing was started" in page
    assert "workflows start each other in a circle" in page


def test_workflows_that_start_each_other_are_named(as_operator: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Refund")
    for name, after in (("Refund", "Letter"), ("Invoice", "Refund"), ("Letter", "Invoice"), ("Apart", "Refund")):
        flows.declare(workspace, flows.step("a"), name=name, triggers=[{"on": "run", "workflow": after}])

    page = re.sub("<[^>]+>", "", text(as_operator))
    assert "in a circle. Refund, then Invoice, then Letter, then Refund." in page

    row = WorkflowTrigger.objects.get(definition__name="Letter")
    arming.pause(workspace.pk, row.pk, flows.BY, "Enough")
    assert "in a circle" not in text(as_operator)


def test_the_editor_warns_of_a_circle_before_it_is_published(as_admin: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Refund")
    flows.declare(workspace, flows.step("a"), name="Letter", triggers=[{"on": "run", "workflow": "Refund"}])
    body = parse({"name": "Refund", "steps": [flows.step("a")]}).stored()

    for awaited, warned in (("Letter", True), ("Invoice", False)):
        sent = form(of_body(body)) | {"t0-on": "run", "t0-workflow": awaited, "do": "check"}
        page = re.sub("<[^>]+>", "", as_admin.post("/workflows/refund/edit/", sent).content.decode())
        assert ("in a circle. Refund, then Letter, then Refund. After 5 triggers" in page) is warned


def test_nothing_is_paused_without_a_reason_and_twice_is_once(as_operator: Client, trigger: WorkflowTrigger) -> None:
    told = {"trigger": str(trigger.pk)}
    as_operator.post(f"{ADDRESS}pause/", told | {"reason": " "})
    trigger.refresh_from_db()
    assert trigger.paused_at is None

    for _ in range(2):
        assert as_operator.post(f"{ADDRESS}pause/", told | {"reason": "Too many"}).status_code == 302

    page = text(as_operator)
    assert "1 of them paused" in page
    assert "Too many" in page
    as_operator.post(f"{ADDRESS}resume/", told)
    assert "paused" not in text(as_operator)
    assert as_operator.post(f"{ADDRESS}pause/", {"trigger": "x", "reason": "y"}).status_code == 404


def test_reviewers_look_and_press_nothing(as_reviewer: Client, trigger: WorkflowTrigger) -> None:
    assert "Pause" not in text(as_reviewer)
    assert as_reviewer.post(f"{ADDRESS}pause/", {"trigger": str(trigger.pk), "reason": "x"}).status_code == 403


def test_the_api_tells_the_same_and_pauses_with_the_scope_of_an_admin(
    workspace: Workspace, trigger: WorkflowTrigger
) -> None:
    reader, admin = Api(workspace, "read"), Api(workspace, "admin")
    address = f"workflows/refund/triggers/{trigger.pk}/pause"
    nobodys = f"workflows/refund/triggers/{UUID(int=9)}/pause"

    (told,) = reader.get("workflows/refund/triggers").json()["triggers"]
    assert (told["on"], told["missed"], told["paused_at"]) == ("schedule", 0, None)
    assert post(reader, address, {"reason": "x"}).status_code == 403
    assert post(admin, address, {"reason": ""}).status_code == 422
    assert post(admin, address, {"reason": "Enough"}).json()["triggers"][0]["pause_reason"] == "Enough"
    assert post(admin, address.replace("pause", "resume"), {}).json()["triggers"][0]["paused_at"] is None
    assert post(admin, nobodys, {"reason": "x"}).status_code == 404


def post(api: Api, address: str, body: dict[str, str]) -> Any:
    headers = {"authorization": f"Bearer {api.key}"}
    return api.client.post(f"/api/v1/{address}", body, content_type="application/json", headers=headers)
