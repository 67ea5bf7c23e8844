"""Where a workspace wants two people for what policies say, it wants them for workflows too; the page says so."""

from __future__ import annotations

import pytest
from django.test import Client

from orchestration.control import declaring
from orchestration.ledger.models import Entry
from orchestration.policies import rulebook
from orchestration.workflows import declared
from orchestration.workspaces.models import User, Workspace
from tests.api.test_definitions import STEPS, post
from tests.api.test_figures import Api

pytestmark = pytest.mark.django_db


def test_where_two_people_are_wanted_a_key_asks_and_a_person_agrees(
    workspace: Workspace, admin: User, proven: Client
) -> None:
    rulebook.set_two_people(workspace, True, admin)
    for key in (Api(workspace, "admin"), Api(workspace, "admin")):
        told = post(key, publish=True, reason="It is right").json()
        assert (told["state"], told["waits"]) == ("draft", True)

    page = proven.get("/workflows/refund/versions/1/").content.decode()
    assert "asks a second admin to put live v1" in page
    form = {"version": 1, "digest": told["sha256"], "reason": "I agree"}
    proven.post("/workflows/refund/publish/", form)

    assert declared.live(workspace.pk, "Refund")
    assert Entry.objects.filter(kind="workflow.proposed").count() == 1


def test_one_admin_is_told_on_the_page_that_another_has_to_agree(
    workspace: Workspace, admin: User, proven: Client
) -> None:
    rulebook.set_two_people(workspace, True, admin)
    made = declared.save(workspace.pk, declaring.checked({"name": "Refund", "steps": STEPS}), "person:x")
    declaring.flow_named(workspace.pk, "Refund")
    assert "Ask a second admin" in proven.get("/workflows/refund/versions/1/").content.decode()
    form = {"version": 1, "digest": made.digest, "reason": "Right"}

    page = proven.post("/workflows/refund/publish/", form, follow=True).content.decode()

    assert "once a second admin has published it too" in page
    assert not declared.live(workspace.pk, "Refund")
    proven.post("/workflows/refund/withdraw/", {"version": 1})
    made.refresh_from_db()
    assert made.proposed_by == ""
