"""Steps written down as a tree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.fold import fold
from orchestration.workflows.outline import outline
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
