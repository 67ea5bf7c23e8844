"""Declared workflows sent by API: checked whole before anything is stored, and put live by two where that is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.control import declaring
from orchestration.ledger.models import Entry
from orchestration.policies import rulebook
from orchestration.workflows import declared
from orchestration.workflows.declared_models import DefinitionVersion
from orchestration.workspaces.models import User, Workspace
from tests.api.test_figures import Api
from tests.control import flows

pytestmark = pytest.mark.django_db
STEPS = [flows.step("look"), flows.step("pay", "look", guard="context.steps.look.amount > 5")]


@pytest.fixture
def api(workspace: Workspace) -> Api:
    return Api(workspace, "admin")


def post(api: Api, steps: Any = None, **more: Any) -> Any:
    body = {"definition": {"name": "Refund", "steps": steps or STEPS}} | more
    headers = {"authorization": f"Bearer {api.key}"}
    return api.client.post("/api/v1/workflows", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("guard", "words"),
    [
        ("context.steps.look.amount >", "Line 1"),
        ("context.steps.pay.ok == true", "No step pay has ended"),
        ("action.amount > 5", "not action.amount"),
    ],
)
def test_a_guard_that_cannot_be_told_is_refused_by_its_field(api: Api, guard: str, words: str) -> None:
    answer = post(api, [STEPS[0], STEPS[1] | {"guard": guard}])

    assert answer.status_code == 422
    assert "definition.steps[1].guard" in answer.content.decode()
    assert words in answer.content.decode()
    assert not DefinitionVersion.objects.exists()


def test_every_fault_is_told_and_nonsense_is_no_error_of_ours(api: Api) -> None:
    told = post(api, [{"id": "A b", "owner": {}, "x": 1}]).content.decode()

    assert all(f"steps[0].{name}" in told for name in ("id", "owner", "x"))
    nonsense: dict[str, Any]
    for nonsense in ({"definition": []}, {"definition": {"name": "\0"}}, {"definition": {"steps": 7}}):
        assert post(api, **nonsense).status_code == 422


def test_a_definition_is_saved_as_a_draft_once_and_put_live_with_a_reason(api: Api, workspace: Workspace) -> None:
    first, again = post(api).json(), post(api).json()
    assert (first["version"], first["state"], first["slug"]) == (1, "draft", "refund")
    assert again == first
    assert post(api, publish=True).status_code == 422

    live, twice = (post(api, publish=True, reason="It is right").json() for _ in range(2))

    assert (live["state"], live["waits"]) == ("live", False)
    assert twice == live
    assert Entry.objects.filter(kind="workflow.published").count() == 1


def test_only_keys_of_admins_write(workspace: Workspace) -> None:
    assert post(Api(workspace, "work", "read")).status_code == 403


def test_who_asks_never_agrees_and_a_changed_draft_is_asked_for_anew(workspace: Workspace, admin: User) -> None:
    rulebook.set_two_people(workspace, True, admin)
    made = declared.save(workspace.pk, declaring.checked({"name": "Refund", "steps": STEPS}), "person:ann")
    for _ in range(2):
        assert declaring.publish(made, "person:ann", "Right").state == "draft"
    declared.save(workspace.pk, declaring.checked({"name": "Refund", "steps": STEPS[:1]}), "person:ann")

    made.refresh_from_db()
    assert (made.proposed_by, declaring.publish(made, "person:bob", "Right").state) == ("", "draft")
    assert declaring.publish(made, "person:ann", "Right").state == "live"
    assert declared.live(workspace.pk, "Refund")
    made.refresh_from_db()
    assert not declaring.retire(made, "person:ann", "Enough")
    declared.withdraw(made.pk, "person:bob")
    assert not declaring.retire(made, "person:bob", "Enough")
    assert declaring.retire(made, "person:ann", "Enough")
