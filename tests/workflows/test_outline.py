"""Steps written down as a tree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.fold import fold
from orchestration.workflows.outline import outline, shown
from orchestration.workflows.story import Placed, Step


def step(own: int, parent: int = 0, start: int = 0) -> Step:
    ids = (b"t" * 16, own.to_bytes(8, "big"), parent.to_bytes(8, "big") if parent else b"")
    return Step(
        *ids, start, start + 5, f"s{own}", Kind.TOOL, Outcome.OK, "", "", "", "", "", 0, 0, None, "", "", {}
    )  # fmt: skip


def names(placed: list[Placed]) -> list[str]:
    return [each.step.name for each in placed]


def test_steps_of_two_agents_at_work_at_once_stand_below_their_own() -> None:
    mixed = [step(1, start=0), step(2, 1, 1), step(3, 1, 2), step(4, 2, 3), step(5, 3, 4), step(6, 2, 5)]

    rows = outline(fold(mixed).placed)

    assert names(rows) == ["s1", "s2", "s4", "s6", "s3", "s5"]


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12), st.integers(0, 50)), max_size=30))
def test_no_step_is_lost_or_doubled_whatever_names_whom_as_its_parent(steps: list[tuple[int, int, int]]) -> None:
    placed = fold([step(own, parent, start) for own, parent, start in steps]).placed

    assert sorted(names(outline(placed))) == sorted(names(placed))


def told(view: str, *steps: Step, marked: tuple[bytes, ...] = ()) -> list[tuple[str, int]]:
    return [(line.placed.step.name, line.folded) for line in shown(fold(list(steps)).placed, view, marked)]


def long_run(outcome: Outcome = Outcome.OK) -> list[Step]:
    """A root with a dozen inner steps, the last two below one another."""
    found = [step(1, start=0)]
    found += [replace(step(n, 1, n), kind=Kind.STEP) for n in range(2, 14)]
    found.append(replace(step(14, 13, 14), kind=Kind.STEP, outcome=outcome))
    return found


def test_what_went_as_it_should_is_folded_into_a_count() -> None:
    assert told("folded", *long_run()) == [("s1", 13)]


def test_a_failure_is_shown_below_all_that_stands_above_it() -> None:
    steps = long_run(Outcome.ERROR)

    assert told("folded", *steps) == [("s1", 11), ("s13", 0), ("s14", 0)]
    assert told("problems", *steps) == [("s1", 11), ("s13", 0), ("s14", 0)]


def test_a_run_without_a_problem_shows_none() -> None:
    assert told("problems", *long_run()) == []


def test_everything_is_shown_to_who_asks_for_it_and_of_a_short_run() -> None:
    assert len(told("all", *long_run())) == 14
    assert len(told("folded", *long_run()[:12])) == 12


def test_a_marked_step_is_never_folded() -> None:
    assert told("folded", *long_run(), marked=((7).to_bytes(8, "big"),)) == [("s1", 12), ("s7", 0)]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30), st.integers(0, 50)), max_size=40))
def test_shown_and_folded_steps_are_all_there_are(steps: list[tuple[int, int, int]]) -> None:
    placed = fold([replace(step(own, parent, start), kind=Kind.STEP) for own, parent, start in steps]).placed

    lines = shown(placed, "folded")

    assert len(lines) + sum(line.folded for line in lines) == len(placed)
