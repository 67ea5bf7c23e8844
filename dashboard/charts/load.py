"""What people were asked, a bar a day, against what they can bear, as numbers of an SVG: one drawing for wide pages and
one for narrow ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, log10

from orchestration.control.human_load import LoadDay, Published

GAP = 0.16  # of a bar's place
MOST_LINES = 5
WEEK = 7
WORDY = 500  # a narrower drawing has no room for names
LONGEST = 28  # letters of a name


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar. `kind`: changed, unchanged, or waits (no verdict, or none is known)."""

    kind: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    words: str
    unfinished: bool
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of the grid with its figure, or a word below the bars."""

    at: str
    text_at: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """A policy that went live: a hairline, with words where there is room for them."""

    at: str
    words: str
    text_at: str = ""
    text: str = ""
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Against:
    """What the bars are measured against."""

    capacity: float | None = None
    published: Sequence[Published] = ()


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
    limit: Mark | None = None
    events: Sequence[Event] = ()

    @property
    def label(self) -> int:
        """Where the figures of the grid end."""
        return self.left - 8


def columns(
    days: Sequence[LoadDay], width: int, height: int, over: bool = False, against: Against | None = None
) -> Columns:
    """`over`: the last day is not today, and finished."""
    against = against or Against()
    most = max((each.asked for each in days), default=0)
    greatest, step = _scale(max(most, ceil(against.capacity or 0)))
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
            _told(each),
            i == len(days) - 1 and not over,
            _pieces(each, y),
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
        _words(days, over, against.capacity),
        _limit(against.capacity, y),
        _events(days, against.published, (left, right, place)),
    )


def _told(day: LoadDay) -> str:
    text = f"{day_text(day.day)}: {day.asked:,}"
    if not day.changed and not day.unchanged:
        return text
    return f"{text}, {day.changed:,} changed, {day.unchanged:,} approved unchanged"


def _pieces(day: LoadDay, y: Callable[[float], float]) -> tuple[Piece, ...]:
    """From the foot: what was changed, what was approved unchanged, what has no verdict."""
    rest = max(0, day.asked - day.changed - day.unchanged)
    found, below = [], 0
    for kind, count in (("changed", day.changed), ("unchanged", day.unchanged), ("waits", rest)):
        if count:
            found.append(Piece(kind, f"{y(below + count):.1f}", f"{y(below) - y(below + count):.1f}"))
            below += count
    return tuple(found)


def _limit(capacity: float | None, y: Callable[[float], float]) -> Mark | None:
    if capacity is None:
        return None
    return Mark(f"{y(capacity):.1f}", f"{y(capacity) - 7:.1f}", f"Capacity {capacity:,.0f} a day")


def _events(days: Sequence[LoadDay], published: Sequence[Published], space: tuple[float, float, float]) -> list[Event]:
    """A line for each day on which policies went live; on wide drawings the last one that has room is named."""
    left, right, place = space
    by_day: dict[int, list[Published]] = {}
    for each in published:
        i = (each.day - days[0].day).days
        if 0 <= i < len(days):
            by_day.setdefault(i, []).append(each)
    found: list[Event] = []
    for i, those in sorted(by_day.items()):
        at, last = left + i * place - place * GAP / 2, i == max(by_day)
        words = ", ".join(f"{one.policy} v{one.version}" for one in those)
        told = f"{day_text(days[i].day)}: {words} went live"
        if not last or right - left < WORDY:
            found.append(Event(f"{at:.1f}", told))
            continue
        after = at < (left + right) / 2
        name = those[-1].policy if len(those[-1].policy) <= LONGEST else f"{those[-1].policy[: LONGEST - 1]}…"
        text = f"{name} v{those[-1].version}" + (f" and {len(those) - 1} more" if len(those) > 1 else "")
        found.append(Event(f"{at:.1f}", told, f"{at + (6 if after else -6):.1f}", text, "start" if after else "end"))
    return found


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


def _words(days: Sequence[LoadDay], over: bool, capacity: float | None) -> str:
    most = max(days, key=lambda each: each.asked)
    last = "on the last" if over else "today so far"
    limit = "" if capacity is None else f", against a capacity of {capacity:,.0f} a day"
    return (
        f"What people were asked, a day, for {len(days)} days: {days[-1].asked:,} {last}, "
        f"at most {most.asked:,} on {day_text(most.day)}{limit}"
    )
