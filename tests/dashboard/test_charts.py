"""Lines and bars as numbers."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.bars import LogScale, placed, stacked
from dashboard.charts.lines import spark
from dashboard.charts.load import columns
from dashboard.charts.ticks import clock_text
from orchestration.control.human_load import LoadDay

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


def days(*asked: int) -> list[LoadDay]:
    first = date(2026, 11, 1)
    return [LoadDay(first + timedelta(days=place), n, n) for place, n in enumerate(asked)]


@pytest.mark.parametrize(
    ("most", "figures"),
    [
        (0, ["0", "1"]),
        (6, ["0", "2", "4", "6"]),
        (41, ["0", "10", "20", "30", "40", "50"]),
        (870, ["0", "200", "400", "600", "800", "1,000"]),
    ],
)
def test_an_axis_begins_at_zero_and_has_few_round_lines(most: int, figures: list[str]) -> None:
    assert [line.text for line in columns(days(0, most), 700, 196).grid] == figures


def test_today_is_told_from_finished_days() -> None:
    chart = columns(days(4, 8, 2), 700, 196)

    assert [bar.unfinished for bar in chart.bars] == [False, False, True]
    assert [bar.words for bar in chart.bars] == ["1 Nov: 4", "2 Nov: 8", "3 Nov: 2"]
    assert chart.words.endswith("2 today so far, at most 8 on 2 Nov")


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=31))
def test_no_column_leaves_its_picture(asked: list[int]) -> None:
    chart = columns(days(*asked), 340, 190)

    assert all(float(bar.y) >= 19.9 and float(bar.y) + float(bar.height) <= 166.1 for bar in chart.bars)
    assert all(chart.left <= float(bar.x) and float(bar.x) + float(bar.width) <= chart.right for bar in chart.bars)


def test_a_whisker_needs_all_four_of_its_times() -> None:
    scale = LogScale([1.0, 1000.0])

    assert scale.whisker((1.0, 10.0, None, 1000.0), "") is None
    whisker = scale.whisker((1.0, 10.0, 100.0, 1000.0), "p10 1 ms")
    assert whisker is not None
    assert float(whisker.p10) < float(whisker.p50) < float(whisker.p99)


@pytest.mark.parametrize(
    ("ms", "text"), [(12_000, "12 s"), (67_400, "1:07"), (3_599_000, "59:59"), (5_400_000, "1 h 30 m")]
)
def test_the_end_of_an_axis_reads_as_its_ticks(ms: float, text: str) -> None:
    assert clock_text(ms) == text
