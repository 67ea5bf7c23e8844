"""What people were asked, a bar a day, as numbers of an SVG: one drawing for wide pages and one for narrow ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, log10

from orchestration.control.human_load import LoadDay

GAP = 0.16  # of a bar's place
MOST_LINES = 5
WEEK = 7


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    words: str
    unfinished: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of the grid with its figure, or a word below the bars."""

    at: str
    text_at: str
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    width: int
    height: int
    left: int
    right: int
    foot: int  # y of the words below the bars
    grid: list[Mark]
    bars: list[Bar]
    days: list[Mark]
    words: str

    @property
    def label(self) -> int:
        """Where the figures of the grid end."""
        return self.left - 8


def columns(days: Sequence[LoadDay], width: int, height: int, over: bool = False) -> Columns:
    """`over`: the last day is not today, and finished."""
    greatest, step = _scale(max((each.asked for each in days), default=0))
    left, right, top, bottom = 34 if greatest < 1000 else 46, width - 8, 20.0, height - 24.0
    place = (right - left) / max(1, len(days))

    def y(value: float) -> float:
        return bottom - (bottom - top) * value / greatest

    bars = [
        Bar(
            f"{left + i * place:.1f}",
            f"{y(each.asked):.1f}",
            f"{place * (1 - GAP):.1f}",
            f"{bottom - y(each.asked):.1f}",
            f"{day_text(each.day)}: {each.asked:,}",
            i == len(days) - 1 and not over,
        )
        for i, each in enumerate(days)
    ]
    return Columns(
        width,
        height,
        left,
        right,
        height - 6,
        [Mark(f"{y(v):.1f}", f"{y(v) + 4:.1f}", f"{v:,}") for v in range(0, greatest + 1, step)],
        bars,
        _days(days, left, place, over),
        _words(days, over),
    )


def _scale(most: int) -> tuple[int, int]:
    """The end of the axis and the step of its lines: 1, 2 or 5 of some power of ten, at most five lines above zero."""
    for power in range(int(log10(max(1, most))) + 2):
        for unit in (1, 2, 5):
            step = unit * 10**power
            if step * MOST_LINES >= most:
                return max(1, ceil(most / step)) * step, step
    return most, most


def _days(days: Sequence[LoadDay], left: int, place: float, over: bool) -> list[Mark]:
    """A word a week, counted back from today."""
    last = len(days) - 1
    marks = []
    for i in range(last, -1, -WEEK):
        middle = f"{left + (i + (1 - GAP) / 2) * place:.1f}"
        marks.append(Mark(middle, middle, "Today" if i == last and not over else day_text(days[i].day)))
    return marks[::-1]


def day_text(day: date) -> str:
    return f"{day.day} {day.strftime('%b')}"


def _words(days: Sequence[LoadDay], over: bool) -> str:
    most = max(days, key=lambda each: each.asked)
    last = "on the last" if over else "today so far"
    return (
        f"Runs that asked a person, a day, for {len(days)} days: {days[-1].asked:,} {last}, "
        f"at most {most.asked:,} on {day_text(most.day)}"
    )
