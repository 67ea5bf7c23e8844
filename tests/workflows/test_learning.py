"""A path learnt from runs, with its evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows import kept_trails
from orchestration.workflows.learning import ENOUGH, Learnt, learn, nice_s, path_of
from orchestration.workflows.trails import TURNS, Act, Trail, trail
from orchestration.workspaces.models import Workspace
from tests import make
from tests.make import Made
from tests.telemetry.told import ERROR, Told

S = 1_000_000_000
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)


def act(name: str, start: float, end: float | None = None, owner: str = "desk", **more: object) -> Act:
    return Act(name, owner, bool(more.pop("human", False)), int(start * S), int((end or start + 1) * S), **more)  # type: ignore[arg-type]


def runs(*paths: list[Act]) -> list[Trail]:
    return [
        Trail(UUID(int=n + 1), NOON + timedelta(minutes=n), "completed", (), tuple(path))
        for n, path in enumerate(paths)
    ]


def line(*names: str) -> list[Act]:
    return [act(name, 10 * place) for place, name in enumerate(names)]


def told(found: Learnt) -> dict[str, tuple[str, ...]]:
    return {step.name: step.after for step in found.steps}


def test_steps_that_always_follow_each_other_make_a_line() -> None:
    found = path_of(runs(*[line("hear", "check", "pay")] * 40))

    assert told(found) == {"hear": (), "check": ("hear",), "pay": ("check",)}
    assert (found.runs, found.fitting, found.enough) == (40, 40, True)


def test_fewer_runs_than_thirty_are_not_enough() -> None:
    assert not path_of(runs(*[line("hear")] * (ENOUGH - 1))).enough
    assert path_of([]).runs == 0


def test_steps_that_overlap_or_change_places_are_in_no_order() -> None:
    one = [act("hear", 0), act("bank", 5, 9), act("register", 6, 8), act("pay", 20)]
    other = [act("hear", 0), act("register", 5, 6), act("bank", 7, 9), act("pay", 20)]

    found = path_of(runs(*[one] * 20, *[other] * 20))

    assert told(found) == {"hear": (), "register": ("hear",), "bank": ("hear",), "pay": ("bank", "register")}


def test_what_few_runs_have_is_left_out_and_named() -> None:
    found = path_of(runs(*[line("hear", "pay")] * 36, *[line("hear", "ask a person", "pay")] * 4))

    assert list(told(found)) == ["hear", "pay"]
    assert [(left.name, left.runs, left.why) for left in found.left] == [("ask a person", 4, "seldom")]
    assert found.fitting == 36


def test_a_lower_share_keeps_more() -> None:
    seen = runs(*[line("hear", "pay")] * 20, *[line("hear", "review", "pay")] * 20)

    assert list(told(path_of(seen, share=0.5))) == ["hear", "review", "pay"]
    assert list(told(path_of(seen, share=0.9))) == ["hear", "pay"]


def test_the_owner_is_who_did_it_most_and_others_are_told() -> None:
    seen = runs(*[[act("pay", 0, owner="a")]] * 30, *[[act("pay", 0, owner="b")]] * 10)

    (step,) = path_of(seen).steps

    assert (step.owner, step.owners) == ("a", (("a", 30), ("b", 10)))


def test_the_time_limit_is_the_99th_percentile_rounded_up() -> None:
    seen = runs(*[[act("pay", 0, 3.5)]] * 199, [act("pay", 0, 50)])

    (step,) = path_of(seen).steps

    assert (step.p99_ms, step.limit_s) == (3500, 5)


def test_tries_are_those_that_ended_well() -> None:
    good = act("pay", 0, tries=3, errors=("Timeout", "Timeout"))
    bad = act("pay", 0, tries=9, failed=True, errors=("Timeout",) * 9)

    (step,) = path_of(runs(*[[act("pay", 0)]] * 30, [good], [bad])).steps

    assert (step.tries, step.errors[0]) == (3, ("Timeout", 11))


@given(st.lists(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 9), st.integers(1, 5)), max_size=8)))
def test_a_learnt_path_never_goes_in_circles(paths: list[list[tuple[str, int, int]]]) -> None:
    acts = [sorted((act(n, at, at + took) for n, at, took in path), key=lambda each: each.start_ns) for path in paths]

    found = path_of(runs(*acts), share=0.3)

    done: set[str] = set()
    for step in found.steps:
        assert set(step.after) <= done
        done.add(step.name)


@pytest.mark.parametrize(("seconds", "nice"), [(0.01, 1), (3.2, 5), (61, 90), (3601, 7200), (90_000, 90_000)])
def test_limits_are_numbers_that_people_write(seconds: float, nice: float) -> None:
    assert nice_s(seconds) == nice


def desk() -> Told:
    """An agent that looks up, tries to pay twice, and asks another; and a person who looks at it."""
    told = Told()
    root = told.agent("triage", at=(0, 500))
    told.tool("lookup", under=root, at=(10, 20))
    for at, status in (((30, 40), ERROR), ((50, 60), 0)):
        told.tool("pay", under=root, at=at, status=status, message="Timeout: no answer" if status else "")
    asked = told.tool("ask_billing", under=root, at=(70, 90))
    told.chat(under=told.agent("billing", under=asked, at=(71, 89)), at=(72, 80))
    told.span("review", {"gen_ai.operation.name": "await_human_input"}, under=root, at=(100, 200))
    return told


def test_a_trail_holds_what_was_done_and_not_what_stands_around_it() -> None:
    acts = trail(desk().story())

    assert [(each.name, each.owner, each.tries) for each in acts] == [
        ("lookup", "triage", 1),
        ("pay", "triage", 2),
        ("billing", "billing", 1),
        ("review", "people", 1),
    ]
    assert acts[1].errors == ("Timeout",)
    assert not acts[1].failed


def test_a_trail_of_turns_holds_agents_and_people() -> None:
    assert [each.name for each in trail(desk().story(), TURNS)] == ["triage", "billing", "review"]


@pytest.mark.django_db
def test_stored_runs_are_learnt_from(workspace: Workspace) -> None:
    flow, clerk = make.workflow(workspace, "Refund"), make.agent(workspace, "clerk")
    for n in range(3):
        began, trace = NOON + timedelta(minutes=n), bytes([n]) * 16
        root = Made("invoke_agent clerk", Kind.AGENT, clerk, ms=900)
        look = Made("look", Kind.TOOL, clerk, parent=root, at_ms=10, ms=20)
        wrong = Made("pay", Kind.TOOL, clerk, None, root, 50, 20, Outcome.ERROR, {"error": "Timeout: slow"})
        make.spans(workspace, trace, began, root, look, wrong, Made("pay", Kind.TOOL, clerk, None, root, 90, 20))
        make.run(workspace, flow, started_at=began, traces=[trace], spans=4)
    make.run(workspace, flow, status="failed", spans=4)

    kept_trails.sweep()

    found = learn(workspace.pk, flow.pk)

    assert told(found) == {"look": (), "pay": ("look",)}
    assert (found.runs, found.steps[1].owner, found.steps[1].tries) == (3, "clerk", 2)
