"""A planted fault: the work is moved, the path is tried, and the work goes back; and an agent that flaps."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.autonomy import healing, ordering, work
from orchestration.autonomy.models import Action, Kind, State
from orchestration.ledger.models import Entry
from orchestration.registry.models import Agent, System
from orchestration.routing import circuits, limits
from orchestration.routing.limits import May
from orchestration.routing.models import Breaker, Circuit, Move
from orchestration.workspaces.models import Workspace
from tests import make
from tests.routing.made import measured, record

NOW = datetime.now(UTC).replace(second=2, microsecond=0)
Scene = tuple[Agent, Agent, System]


@pytest.fixture
def scene(workspace: Workspace) -> Scene:
    """Two agents that do the same well."""
    one, other, system = (
        make.agent(workspace, "billing"),
        make.agent(workspace, "billing-2"),
        make.system(workspace, "customer-db"),
    )
    record(one, system, 400, 12, NOW)
    record(other, system, 400, 16, NOW)
    measured(workspace)
    return one, other, system


def allow(workspace: Workspace, healing: str, dwell: int = 1) -> None:
    limits.allow(workspace, May(healing=healing, dwell_minutes=dwell), "person:admin")


def tick(workspace: Workspace, at: datetime) -> None:
    circuits.sweep_one(workspace.pk, at)
    healing.heal(workspace.pk, at)
    work.carry_out()


def play(scene: Scene, seconds: range, *, failing: bool) -> list[tuple[int, str]]:
    """A call a second of the first agent where the work is its own, a tenth of that as probes; what changed, when."""
    one, _, system = scene
    workspace, seen, before = one.workspace, [], ""
    for second in seconds:
        at = NOW + timedelta(seconds=second)
        move = Move.objects.filter(workspace=workspace).first()
        calls = 5 if move is None else 5 * move.share * 10
        if calls and (move is None or second % 50 == 0):
            make.calls(workspace, one, n=int(calls), failures=int(calls) if failing else 0, on=system, at=at)
        tick(workspace, at)
        breaker = Breaker.objects.filter(workspace=workspace).first()
        moved = Move.objects.filter(workspace=workspace).exists()
        now = f"{breaker.state if breaker else 'closed'} {'moved' if moved else 'own'}"
        if now != before:
            seen.append((second, now))
            before = now
    return seen


def test_a_planted_fault_moves_the_work_within_a_minute_and_recovery_brings_it_back(
    workspace: Workspace, scene: Scene
) -> None:
    allow(workspace, "apply")

    broken = play(scene, range(0, 60, 5), failing=True)
    healed = play(scene, range(60, 400, 10), failing=False)

    moved_at = next(second for second, now in broken if now.endswith("moved"))
    assert moved_at <= 60
    assert healed[-1][1] == "closed own"
    kinds = Counter(Entry.objects.filter(workspace=workspace.pk).values_list("kind", flat=True))
    assert 1 <= kinds["breaker.opened"] == kinds["breaker.half_opened"] <= 2, "the first probe may have come too early"
    assert (kinds["breaker.closed"], kinds["healing.probing"]) == (1, kinds["breaker.half_opened"])
    assert kinds["action.done"] == 2
    action = Action.objects.get(workspace=workspace, kind=Kind.REROUTE)
    assert "against 9" in action.reason
    assert action.state == State.UNDONE


def test_an_agent_that_flaps_is_moved_few_times_and_for_longer_each_time(workspace: Workspace, scene: Scene) -> None:
    allow(workspace, "apply", dwell=3)

    for second in range(0, 3000, 600):  # ten minutes each: two of failure, eight of health
        play(scene, range(second, second + 120, 30), failing=True)
        play(scene, range(second + 120, second + 600, 50), failing=False)

    moves = Action.objects.filter(workspace=workspace, kind=Kind.REROUTE).count()
    assert 1 <= moves <= 3


def test_a_proposal_is_made_once_and_withdrawn_when_the_path_recovers(workspace: Workspace, scene: Scene) -> None:
    allow(workspace, "propose")
    make.calls(workspace, scene[0], n=30, failures=30, on=scene[2], at=NOW)

    for second in (0, 5, 10):
        tick(workspace, NOW + timedelta(seconds=second))
    (action,) = Action.objects.filter(workspace=workspace)
    assert (action.state, Move.objects.count()) == (State.PROPOSED, 0)
    tick(workspace, NOW + timedelta(seconds=31))
    make.calls(workspace, scene[0], n=6, on=scene[2], at=NOW + timedelta(seconds=33))
    tick(workspace, NOW + timedelta(seconds=35))

    action.refresh_from_db()
    assert action.state == State.DECLINED


def test_nothing_is_done_where_an_admin_lets_nothing_be_done(workspace: Workspace, scene: Scene) -> None:
    allow(workspace, "off")
    make.calls(workspace, scene[0], n=30, failures=30, on=scene[2], at=NOW)

    tick(workspace, NOW)

    assert Breaker.objects.get(workspace=workspace).state == Circuit.OPEN
    assert not Action.objects.filter(workspace=workspace).exists()


def test_what_a_person_took_back_is_not_done_again_while_the_path_is_broken(workspace: Workspace, scene: Scene) -> None:
    allow(workspace, "apply")
    make.calls(workspace, scene[0], n=30, failures=30, on=scene[2], at=NOW)
    tick(workspace, NOW)
    action = Action.objects.get(workspace=workspace)
    undo = ordering.Wish(Kind.RESTORE, "person:operator", f"undo:{action.pk}", "I know better")
    work.carry_out_one(ordering.undo(action, undo))

    tick(workspace, NOW + timedelta(seconds=5))

    assert not Move.objects.filter(workspace=workspace).exists()


def test_work_goes_back_when_the_other_fails_there_too(workspace: Workspace, scene: Scene) -> None:
    allow(workspace, "apply")
    make.calls(workspace, scene[0], n=30, failures=30, on=scene[2], at=NOW)
    tick(workspace, NOW)
    assert Move.objects.filter(workspace=workspace).exists()

    make.calls(workspace, scene[1], n=60, failures=60, on=scene[2], at=NOW + timedelta(seconds=10))
    tick(workspace, NOW + timedelta(seconds=10))

    assert not Move.objects.filter(workspace=workspace).exists()
    tick(workspace, NOW + timedelta(seconds=15))
    assert not Move.objects.filter(workspace=workspace).exists(), "the system is broken, not the agent"


def test_nobody_takes_over_who_is_stopped_or_hardly_known(workspace: Workspace, scene: Scene) -> None:
    one, other, system = scene
    row = Breaker.objects.create(workspace=workspace, agent=one, system=system, state=Circuit.OPEN, n=20, failures=20)
    found = healing.fallback(row, [row])
    assert found
    assert found.slug == other.slug

    Move.objects.create(workspace=workspace, agent=other, to=one, action=row_id(), words="")
    assert healing.fallback(row, [row]) is None


def row_id() -> str:
    return "00000000-0000-0000-0000-000000000001"
