"""What agents that work on the same run are told of one another, by the API and on the page alike."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.control.run_context import context
from orchestration.handoffs import claims, sending
from orchestration.handoffs.given import Speaker
from orchestration.handoffs.models import Claim
from orchestration.holds.models import Hold
from orchestration.telemetry.spans import Kind
from orchestration.workflows.models import Run
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.dashboard.conftest import Scene, play
from tests.handoffs.spoken import envelope, work
from tests.make import Made

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    return play(workspace)


@pytest.fixture
def all_of(workspace: Workspace) -> Speaker:
    return Speaker(workspace.pk, 1)


def told(client: Client, key: str, run: Any, status: int = 200) -> Any:
    answer = client.get(f"/api/v1/runs/{run}/context", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == status, answer.content
    return answer.json()


def test_it_tells_who_did_what_and_what_is_fetched(client: Client, scene: Scene, all_of: Speaker) -> None:
    trace = bytes(range(16)).hex()
    row, _ = claims.claim(all_of, work(run=trace))
    claims.finish(all_of, row.pk, {"result": {"name": "Ann"}})
    claims.claim(all_of, work(run=str(scene.run.id), key="ask:address", agent="billing"))
    sending.send(all_of, envelope(run=trace), "")
    Hold.objects.create(workspace=scene.workspace, agent="billing", run=trace, question="Pay?", proposal="", why="")
    _, key = create_key(scene.workspace, "works", ["work"])

    found = told(client, key, scene.run.id)

    assert found["summary"] == "One step failed on the way and went well when tried again. billing waits for a person."
    assert [each["name"] for each in found["agents"]] == ["triage", "billing", "support-triage"]
    assert [(each["key"], each["source"], each["result"]) for each in found["facts"]] == [
        ("customer:4711", "claim", {"name": "Ann"}),
        ("charge", "tool", None),
    ]
    assert [each["what"] for each in found["requests"]] == ["address"]
    assert [each["question"] for each in found["holds"]] == ["Pay?"]
    assert [(each["from"], each["to"]) for each in found["handoffs"]] == [("support-triage", "billing")]
    assert [each["key"] for each in found["in_hand"]] == ["ask:address"]
    assert {(each["agent"], each["by"]) for each in found["done"]} >= {
        ("triage", "step"),
        ("support-triage", "handoff"),
    }


def test_a_number_of_many_digits_that_was_stored_is_told(client: Client, scene: Scene, all_of: Speaker) -> None:
    _, key = create_key(scene.workspace, "all", {"read"})
    row, _ = claims.claim(all_of, work(run=str(scene.run.id)))
    claims.finish(all_of, row.pk, {"result": {"amount": 1e30}})

    found = told(client, key, scene.run.id)

    assert {"amount": 1e30} in [each["result"] for each in found["facts"]]


def test_a_policy_is_in_force_where_its_scope_reaches(client: Client, scene: Scene) -> None:
    found = context(scene.workspace.pk, str(scene.run.id))

    assert found
    assert {each.slug for each in found.policies} <= {scene.policy.slug}
    assert found.text.endswith("nobody waits.")


def test_a_run_that_was_cancelled_is_not_said_to_have_failed(scene: Scene) -> None:
    Run.objects.filter(id=scene.run.id).update(status="cancelled")

    found = context(scene.workspace.pk, str(scene.run.id))

    assert found
    assert found.text == "It was cancelled before it ended. Nobody waits."


def test_asking_a_person_is_no_fact_that_was_fetched(scene: Scene) -> None:
    asked = Made(
        "execute_tool request_approval", Kind.TOOL, scene.billing, at_ms=950, values={"subject": "request_approval"}
    )
    make.spans(scene.workspace, bytes(range(16)), scene.run.started_at, asked)

    found = context(scene.workspace.pk, str(scene.run.id))

    assert found
    assert [each.key for each in found.facts] == ["charge"]


def test_a_request_that_was_answered_is_open_no_more(all_of: Speaker, workspace: Workspace) -> None:
    row, _ = claims.claim(all_of, work(key="ask:address"))
    before = context(workspace.pk, "R-1")
    claims.finish(all_of, row.pk, {"result": "Main Street 1"})
    after = context(workspace.pk, "R-1")

    assert before
    assert after
    assert ([each.what for each in before.requests], after.requests) == (["address"], [])


def test_a_claim_whose_time_is_over_is_in_nobodys_hand(all_of: Speaker, workspace: Workspace) -> None:
    claims.claim(all_of, work())
    Claim.objects.update(until=timezone.now() - timedelta(seconds=1))

    found = context(workspace.pk, "R-1")

    assert found
    assert found.in_hand == []
    assert found.text == "Baton has seen no step of this run yet. Nobody waits."


def test_who_may_not_read_content_is_told_the_rest(
    client: Client, all_of: Speaker, operator: User, workspace: Workspace
) -> None:
    row, _ = claims.claim(all_of, work())
    claims.finish(all_of, row.pk, {"result": "secret"})
    sending.send(all_of, envelope(), "")
    client.force_login(operator)

    found = client.get("/api/v1/runs/R-1/context").json()

    assert (found["facts"][0]["key"], found["facts"][0]["result"]) == ("customer:4711", None)
    assert found["handoffs"][0]["asked"] is None
    assert {each["what"] for each in found["done"]} == {None}


def test_a_key_sees_what_its_agents_have_a_part_in(client: Client, all_of: Speaker, workspace: Workspace) -> None:
    sending.send(all_of, envelope(), "")
    keys = {name: create_key(workspace, name, ["work"], [name])[1] for name in ("billing", "stranger")}
    decides = create_key(workspace, "decides", ["decide"])[1]

    told(client, keys["billing"], "R-1")
    told(client, keys["stranger"], "R-1", 404)
    told(client, keys["billing"], "R-2", 404)
    told(client, decides, "R-1", 403)


def test_the_page_says_the_same(as_admin: Client, scene: Scene, all_of: Speaker) -> None:
    row, _ = claims.claim(all_of, work(run=str(scene.run.id)))
    claims.finish(all_of, row.pk, {"result": {"name": "<b>Ann</b>"}})
    sending.send(all_of, envelope(run=str(scene.run.id)), "")

    page = as_admin.get(f"/runs/{scene.run.id}/").content.decode()

    assert "went well when tried again." in page
    assert "name &lt;b&gt;Ann&lt;/b&gt;" in page
    assert "To be taken" in page
    assert page.index("Shared context") < page.index("Handed over")


@pytest.fixture
def as_admin(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client
