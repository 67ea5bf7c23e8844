"""`/routing/`: who does what how well, what was moved and why, and the presses that move it and back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.autonomy.models import Action, Kind
from orchestration.control import route_figures
from orchestration.registry.models import Agent, System
from orchestration.routing import limits
from orchestration.routing.models import Breaker, Circuit, Move, Slice
from orchestration.workspaces.models import Workspace
from tests import make
from tests.autonomy.ordered import aimed, done
from tests.control.decided import decisions
from tests.routing.made import measured, record


@pytest.fixture
def pair(workspace: Workspace) -> tuple[Agent, Agent, System]:
    weak, strong, system = (
        make.agent(workspace, "billing"),
        make.agent(workspace, "billing-2"),
        make.system(workspace, "customer-db"),
    )
    record(weak, system, 100, 30)
    record(strong, system, 400, 28)
    measured(workspace)
    return weak, strong, system


def text(client: Client, query: str = "") -> str:
    return client.get(f"/routing/{query}").content.decode()


def test_nothing_measured_is_said_so(as_operator: Client) -> None:
    said = text(as_operator)

    assert "Nothing is measured yet" in said
    assert "All closed" in said


def test_each_cell_says_its_share_interval_and_count(as_operator: Client, pair: tuple[Agent, Agent, System]) -> None:
    said = text(as_operator)

    assert "n=100" in said
    assert "n=400" in said
    assert "No path is broken" in said
    assert text(as_operator, "?kind=llm").count("No call of this kind") == 1


def test_a_cell_of_few_calls_tells_no_rate(as_operator: Client, workspace: Workspace) -> None:
    record(make.agent(workspace, "billing"), make.system(workspace, "customer-db"), 20, 0)
    measured(workspace)

    said = text(as_operator)

    assert "20 of 20" in said
    assert "too few for a rate" in said


def test_moved_work_is_the_finding_with_both_records_and_goes_back_by_one_press(
    as_operator: Client, workspace: Workspace, pair: tuple[Agent, Agent, System]
) -> None:
    weak, strong, system = pair
    form = {"agent": weak.slug, "to": strong.slug, "system": system.slug, "once": "1", "reason": "It fails"}

    as_operator.post("/routing/move/", form)
    as_operator.post("/routing/move/", form)
    said = text(as_operator)
    (action,) = Action.objects.filter(workspace=workspace, kind=Kind.REROUTE)

    assert "Work moved from" in said
    assert "against 9" in said
    assert "n=100) against" in said
    assert "nobody has asked yet" in said
    as_operator.post(f"/actions/{action.pk}/undo/", {"next": "/routing/"})
    assert not Move.objects.filter(workspace=workspace).exists()
    assert "Work moved from" not in text(as_operator)


def test_what_a_move_has_spared_is_told_as_the_estimate_that_it_is(
    as_operator: Client, workspace: Workspace, pair: tuple[Agent, Agent, System]
) -> None:
    weak, strong, system = pair
    as_operator.post("/routing/move/", {"agent": weak.slug, "to": strong.slug, "system": system.slug, "once": "1"})
    move = Move.objects.get()
    reasons = {"reasons": [{"policy": "reroute", "version": 0, "words": move.words, "effect": "route"}]}
    sent = {"agent_id": weak.pk, "at": timezone.now(), "effect": "route"}
    decisions(workspace, [10.0] * 48, **sent, answer=reasons)
    decisions(workspace, [10.0] * 5, **sent, answer={"reasons": [{"words": "Another move"}]})

    (found,) = route_figures.figures(workspace.pk).moves
    assert found.saved
    about, low, high = found.saved

    assert (found.sent, low < about < high) == (48, True)
    assert about == pytest.approx(48 * 0.22, abs=2)  # 70 % against 93 %, both shrunk a little
    assert "of 48 asks" in text(as_operator)


def test_a_broken_path_is_the_finding(as_operator: Client, pair: tuple[Agent, Agent, System]) -> None:
    weak, _, system = pair
    until = timezone.now() + timedelta(seconds=30)
    Breaker.objects.create(
        workspace=weak.workspace,
        agent=weak,
        system=system,
        state=Circuit.OPEN,
        words="20 of 20 calls failed",
        until=until,
    )

    said = text(as_operator)

    assert "is open" in said
    assert "20 of 20 calls failed" in said
    assert text(as_operator).count('class="pill crit">open') == 1


def test_work_goes_to_nobody_who_is_not_there_nor_in_a_circle(
    as_operator: Client, workspace: Workspace, pair: tuple[Agent, Agent, System]
) -> None:
    weak, strong, _ = pair
    assert as_operator.post("/routing/move/", {"agent": "nobody", "to": weak.slug}).status_code == 422
    done(workspace, Kind.REROUTE, aimed(weak), told={"about": {"to": strong.slug}})

    as_operator.post("/routing/move/", {"agent": strong.slug, "to": weak.slug})
    as_operator.post("/routing/move/", {"agent": weak.slug, "to": weak.slug, "task": "x"})

    assert Move.objects.filter(workspace=workspace).count() == 1


def test_an_admin_says_what_routing_may_do(as_admin: Client, workspace: Workspace) -> None:
    form = {"healing": "apply", "exploration": "1.5", "dwell_minutes": "3", "half_life_days": "2"}

    assert as_admin.post("/routing/limits/", form).status_code == 302
    assert as_admin.post("/routing/limits/", form | {"exploration": "50"}).status_code == 422

    assert limits.bounds(workspace.pk) == limits.May("apply", 0.015, 3, 2.0)


def test_the_file_says_what_the_page_says(as_operator: Client, pair: tuple[Agent, Agent, System]) -> None:
    lines = as_operator.get("/routing.csv").content.decode().splitlines()
    items = as_operator.get("/routing.json").json()["items"]

    assert len(lines) == 3
    assert [each["calls"] for each in items] == [100, 400]


def test_what_fails_more_names_its_agent_and_leads_to_it(
    as_operator: Client, workspace: Workspace, pair: tuple[Agent, Agent, System]
) -> None:
    counts = {"n": 80, "failures": 40, "rest": 200, "rest_failures": 10, "evidence": 1e6}
    traits = [["agent", "desk-billing"], ["act", "refund"]]
    Slice.objects.create(
        workspace=workspace, what="x", traits=traits, at=timezone.now(), since=timezone.now(), **counts
    )

    said = text(as_operator).split('id="slices"')[1]

    assert 'href="/agents/desk-billing/"><bdi data-untrusted>billing</bdi></a>' in said
    assert "<bdi data-untrusted>refund</bdi>" in said
