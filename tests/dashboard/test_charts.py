"""Lines and bars as numbers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.bars import LogScale, placed, stacked
from dashboard.charts.lines import spark

FIGURES = st.floats(0, 1e12, allow_nan=False)


def heights(path: str) -> list[float]:
    return [float(y) for y in re.findall(r"[\d.]+ ([\d.]+)", path)]


def test_the_greatest_value_is_on_top_and_zero_at_the_foot() -> None:
    assert heights(spark([0, 5, 10]).line) == [24.0, 14.0, 4.0]


def test_a_gap_stays_a_gap() -> None:
    line = spark([1.0, 2.0, None, 2.0, 1.0]).line

    assert line.count("M") == 2


@pytest.mark.parametrize("points", [[], [None, None], [3.0], [0.0, 0.0]])
def test_too_little_is_not_drawn(points: list[float | None]) -> None:
    assert spark(points).line == ""


def test_a_lone_point_is_seen() -> None:
    assert "h3" in spark([None, 5.0, None, 1.0, 2.0]).line


@given(st.lists(st.none() | FIGURES, max_size=40))
def test_no_line_leaves_its_picture(points: list[float | None]) -> None:
    assert all(4 <= y <= 24 for y in heights(spark(points).line))


@given(st.floats(-1e9, 1e9), FIGURES, FIGURES)
def test_no_step_leaves_its_run(offset: float, duration: float, whole: float) -> None:
    piece = placed(offset, duration, whole, "tool")

    assert 0 <= float(piece.x) <= 100
    assert 0.4 <= float(piece.width) <= 100
    assert float(piece.x) + float(piece.width) <= 100.01


def test_parts_of_nothing_are_no_bar() -> None:
    assert stacked((("wait", 0.0), ("agent", 0.0)), 0.0) == []


@given(st.lists(st.none() | FIGURES, max_size=10), FIGURES)
def test_a_scale_places_everything_within_its_width(values: list[float | None], one: float) -> None:
    assert 0 <= LogScale([*values, one]).place(one) <= 100
