"""Runs and what was asked in them, as slices that are kept."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from orchestration.autonomy import healing, ordering
from orchestration.autonomy.models import Action, Kind, State
from orchestration.ledger.models import Entry
from orchestration.policies.models import Decision
from orchestration.registry.models import Agent
from orchestration.routing import limits
from orchestration.routing.limits import May
from orchestration.routing.models import Slice
from orchestration.routing.slicing import look_one, series
from orchestration.workflows.models import Run
from orchestration.workspaces.models import Workspace
from tests import make
from tests.routing.made import measured, record

NOW = datetime.now(UTC)


@pytest.fixture
def agents(workspace: Workspace) -> tuple[Agent, Agent]:
    return make.agent(workspace, "billing"), make.agent(workspace, "billing-2")


def runs(workspace: Workspace, agents: tuple[Agent, Agent], n: int, bad: float) -> None:
    """One agent fails in the segment `business` as often as told, and else all fail seldom."""
    draw, flow = random.Random(1), make.workflow(workspace)
    told, asked = [], []
    for place in range(n):
        agent, segment = draw.choice(agents), draw.choice(["retail", "business"])
        worse = agent is agents[0] and segment == "business"
        status = "failed" if draw.random() < (bad if worse else 0.05) else "completed"
        at = NOW - timedelta(minutes=n - place + 1)
        run = make.run(workspace, flow, started_at=at, status=status, agents=[agent.pk], save=False)
        facts = {"context": {"segment": segment, "protected_sex": "x", "note": "y" * 50}}
        by = {"agent": agent.name, "agent_id": agent.pk, "system": "customer-db", "action_type": "refund"}
        values = {"at": at, "run_id": run.id, "effect": "hold", "facts": facts, "answer": {}}
        told.append(run)
        asked.append(Decision(workspace=workspace, id=uuid7(), **by, **values))
    Run.objects.bulk_create(told)
    Decision.objects.bulk_create(asked)


def test_a_planted_slice_is_kept_with_its_traits_and_a_receipt(
    workspace: Workspace, agents: tuple[Agent, Agent]
) -> None:
    runs(workspace, agents, 200, 0.6)

    assert look_one(workspace.pk, NOW) == 1
    assert look_one(workspace.pk, NOW) == 1

    (row,) = Slice.objects.filter(workspace=workspace)
    assert row.named == {"agent": agents[0].slug, "context.segment": "business"}
    assert Entry.objects.filter(workspace=workspace.pk, kind="slice.found").count() == 1


def test_where_all_fail_alike_nothing_is_kept(workspace: Workspace, agents: tuple[Agent, Agent]) -> None:
    runs(workspace, agents, 200, 0.05)

    assert look_one(workspace.pk, NOW) == 0
    assert Decision.objects.filter(workspace=workspace).count() == 200


def test_there_is_always_a_test_with_a_past(workspace: Workspace) -> None:
    for day in range(40):
        at = NOW + timedelta(days=day)
        ages = [at - since for since in series(workspace.pk, at)]
        assert len(ages) == 2
        assert max(ages) >= timedelta(days=14)
        assert min(ages) >= timedelta(0)


def test_a_check_is_proposed_for_traits_by_which_no_work_can_be_moved(
    workspace: Workspace, agents: tuple[Agent, Agent]
) -> None:
    kept(workspace, [["agent", agents[0].slug], ["context.segment", "business"]])

    assert healing.propose_for_slices(workspace.pk, May()) == 1
    assert healing.propose_for_slices(workspace.pk, May()) == 0

    action = Action.objects.get(workspace=workspace)
    assert (action.kind, action.state) == (Kind.VERIFY, State.PROPOSED)
    assert "40 of 80" in action.reason


def test_what_nobody_has_answered_is_not_proposed_again_the_day_after(
    workspace: Workspace, agents: tuple[Agent, Agent]
) -> None:
    row = kept(workspace, [["agent", agents[0].slug], ["context.segment", "business"]])
    healing.propose_for_slices(workspace.pk, May())
    Slice.objects.filter(pk=row.pk).update(at=NOW + timedelta(days=1), rest=201)

    assert healing.propose_for_slices(workspace.pk, May()) == 0

    ordering.decline(Action.objects.get(workspace=workspace), "person:admin", "Known")
    assert healing.propose_for_slices(workspace.pk, May()) == 1


def test_another_agent_is_proposed_where_one_does_it_better(workspace: Workspace, agents: tuple[Agent, Agent]) -> None:
    system = make.system(workspace, "customer-db")
    record(agents[0], system, 400, 120)
    record(agents[1], system, 400, 20)
    measured(workspace)
    kept(workspace, [["agent", agents[0].slug], ["system", "customer-db"]])
    limits.allow(workspace, May(healing="propose"), "person:admin")

    healing.heal(workspace.pk, NOW)

    action = Action.objects.get(workspace=workspace)
    assert (action.kind, action.state, action.minutes) == (Kind.REROUTE, State.PROPOSED, 1440)
    assert action.told["about"]["to"] == agents[1].slug


def kept(workspace: Workspace, traits: list[list[str]]) -> Slice:
    counts = {"n": 80, "failures": 40, "rest": 200, "rest_failures": 10, "evidence": 1e6}
    return Slice.objects.create(workspace=workspace, what=str(traits), traits=traits, since=NOW, at=NOW, **counts)
