"""What was done is taken back newest first, each effect asked for once: under crashes between and inside of
transactions, agents that die, words that come late, and orders that come twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.control import driving
from orchestration.workflows.declared_models import DeclaredRun, Effect, Task
from orchestration.workflows.leases import Lease, NotYours
from orchestration.workflows.stored import Changes
from orchestration.workspaces.models import Workspace
from tests.control import flows

pytestmark = pytest.mark.django_db


def test_effects_are_taken_back_newest_first_and_one_by_one(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"), flows.step("b", "a"), flows.undoable("c", "b"))
    run = flows.begin(workspace)
    flows.work(workspace)

    driving.roll_back(workspace.pk, run.id, flows.BY, "Not wanted")

    assert flows.effects(run) == [("a", "done"), ("c", "asked")]
    assert flows.work(workspace) == ["undo c", "undo a"]
    assert (flows.effects(run), flows.state(run)) == ([("a", "undone"), ("c", "undone")], "undone")


def test_a_run_that_fails_rolls_itself_back_where_it_says_so(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"), flows.step("b", "a"), if_fails="undo")
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace), paid=20)
    flows.lose(workspace, flows.one(workspace))

    lease = flows.one(workspace)

    assert lease.undo
    assert (lease.step, lease.undo["data"], flows.state(run)) == ("a", {"paid": 20}, "undoing")


def test_what_could_not_be_taken_back_is_told_and_the_rest_goes_on(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"), flows.step("b", "a"), flows.undoable("c", "b"))
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace))
    flows.finish(workspace, flows.one(workspace), [("A letter", "letter-1", {"to": "Ann"})])
    flows.finish(workspace, flows.one(workspace))
    driving.roll_back(workspace.pk, run.id, flows.BY, "Not wanted")

    flows.lose(workspace, flows.one(workspace), "gone", "The account is closed")
    flows.work(workspace)

    assert flows.effects(run) == [("a", "undone"), ("b", "kept"), ("c", "failed")]
    assert "closed" in Effect.objects.get(workspace_id=workspace.pk, step="c").error
    assert flows.state(run) == "undone"


def test_each_effect_that_a_step_tells_of_is_taken_back_by_itself(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"))
    run = flows.begin(workspace)
    effects = [("First", "k1", {"n": 1}), ("Second", "k2", {"n": 2})]
    flows.finish(workspace, flows.one(workspace), effects)
    driving.roll_back(workspace.pk, run.id, flows.BY, "Not wanted")

    leases = []
    while found := flows.take(workspace):
        leases.append(found[0])
        flows.finish(workspace, found[0])

    assert [each.undo and each.undo["key"] for each in leases] == ["k2", "k1"]
    assert len({each.key for each in leases}) == 2


def test_half_a_step_is_not_taken_back_before_it_has_ended(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"), flows.undoable("b"))
    run = flows.begin(workspace)
    first, second = flows.take(workspace, most=2)
    flows.finish(workspace, first)

    driving.roll_back(workspace.pk, run.id, flows.BY, "Not wanted")
    assert flows.take(workspace) == []
    flows.finish(workspace, second)

    assert flows.one(workspace).step == second.step


WRITE = Changes.write


class Cut(Exception):
    """The process dies here."""


class World:
    """Agents, some of which die, and what they have done outside; a receiver honours keys."""

    def __init__(self, space: Workspace, run: DeclaredRun) -> None:
        self.space, self.run = space, run
        self.leases: list[Lease] = []
        self.undone: list[str] = []  # ids of effects, in the order in which the world saw them taken back
        self.refused = 0

    def take(self) -> None:
        for lease in flows.take(self.space, f"agent-{len(self.leases)}"):
            self.leases.append(lease)
            if not lease.undo:
                continue
            mine = Effect.objects.get(id=lease.undo["effect"])
            newer = Effect.objects.filter(run_id=self.run.id, number__gt=mine.number)
            assert not newer.exclude(state__in=["undone", "failed"]).exists()
            assert Effect.objects.filter(run_id=self.run.id, state="asked").count() == 1
            if lease.key not in self.undone:
                self.undone.append(lease.key)

    def say(self, word: Callable[..., Any], which: int) -> None:
        """Any lease that ever was, also one that was lost long ago."""
        if self.leases:
            try:
                word(self.space, self.leases[which % len(self.leases)])
            except NotYours:
                self.refused += 1


OPS = ("take", "finish", "finish", "lose", "time", "roll", "cancel")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    shape=st.lists(st.sampled_from(["chain", "fork"]), min_size=1, max_size=4),
    acts=st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 9), st.booleans()), max_size=12),
    deaths=st.lists(st.sampled_from(["dies", "speaks", "both"]), max_size=8),
    first=st.integers(0, 5),
)
def test_nothing_is_taken_back_twice_and_the_order_is_kept(
    workspace: Workspace, shape: list[str], acts: list[tuple[str, int, bool]], deaths: list[str], first: int
) -> None:
    with transaction.atomic():
        steps = [flows.undoable("s0")]
        for n, kind in enumerate(shape, 1):
            after = f"s{n - 1}" if kind == "chain" else "s0"
            steps.append(flows.undoable(f"s{n}", after, retry={"rules": [{"attempts": 3, "wait_s": 0}]}))
        flows.declare(workspace, *steps)
        world = World(workspace, flows.begin(workspace))
        for _ in range(first):
            world.take()
            world.say(flows.finish, -1)
        for op, which, cut in acts:
            _do(world, op, which, cut=cut)
        driving.roll_back(workspace.pk, world.run.id, flows.BY, "The end")
        for place, end in enumerate([*deaths, *["speaks"] * 30]):
            if place >= len(deaths) and flows.state(world.run) == "undone":
                break
            world.take()
            if end != "dies":
                world.say(flows.finish, -1)
            if end != "speaks":
                flows.pass_time(workspace, 40)
                world.say(flows.finish, -1)
        _check(world)
        transaction.set_rollback(True)


def _do(world: World, op: str, which: int, *, cut: bool) -> None:
    space, run = world.space, world.run
    acts: dict[str, Callable[[], Any]] = {
        "take": world.take,
        "finish": lambda: world.say(flows.finish, which),
        "lose": lambda: world.say(flows.lose, which),
        "time": lambda: flows.pass_time(space, 40),
        "roll": lambda: driving.roll_back(space.pk, run.id, flows.BY, "Not wanted"),
        "cancel": lambda: driving.cancel(space.pk, run.id, flows.BY, "A mistake"),
    }
    with pytest.MonkeyPatch.context() as patch, suppress(Cut, driving.NotNow):
        if cut and op in ("finish", "lose", "roll", "cancel"):
            patch.setattr(Changes, "write", _die)  # after all rows are written, before the commit
        acts[op]()


def _die(changes: Changes, *args: Any) -> None:
    WRITE(changes, *args)
    raise Cut


def _check(world: World) -> None:
    rows = list(Effect.objects.filter(run_id=world.run.id).order_by("number"))
    asked = Task.objects.filter(run_id=world.run.id).exclude(undoes=None)
    times = Counter(asked.values_list("undoes", flat=True))
    assert flows.state(world.run) == "undone"
    assert set(times.values()) <= {1}
    assert {row.state for row in rows} <= {"undone", "failed"}
    assert len(world.undone) == len(set(world.undone))
    numbers = {f"undo:{row.id}": row.number for row in rows}
    order = [numbers[key] for key in world.undone]
    assert order == sorted(order, reverse=True)
    assert len({row.step for row in rows}) == len(rows)  # no step had its effect twice
