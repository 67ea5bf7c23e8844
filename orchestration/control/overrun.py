"""When what is asked a day will exceed what people can decide a day: a trend that a few odd days do not move, with an
interval. Pure.

The slope is the median of the slopes between the same weekdays of different weeks (Theil 1950, Sen 1968), its interval
that of Hirsch, Slack and Smith 1982: so the rhythm of the week is no trend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, sqrt
from statistics import median

WEEK = 7
ENOUGH_DAYS = 14
FARTHEST = 180  # days ahead: beyond, a trend says nothing
Z = 1.959964


@dataclass(frozen=True, slots=True)
class Trend:
    """Of counts a day: `level` on the day after the last one, and how it changes from day to day."""

    level: float
    slope: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Overrun:
    """`state`: over (it does so already), ahead, none (not within half a year), unknown (too few days, or nothing is
    known of people). `earliest` and `latest` bound `day`; None: not within half a year."""

    state: str
    day: date | None = None
    earliest: date | None = None
    latest: date | None = None


def trend(counts: Sequence[int]) -> Trend | None:
    """None below two weeks of days."""
    n = len(counts)
    if n < ENOUGH_DAYS:
        return None
    slopes = sorted((counts[j] - counts[i]) / (j - i) for i in range(n) for j in range(i + WEEK, n, WEEK))
    weeks = [len(range(place, n, WEEK)) for place in range(WEEK)]
    spread = Z * sqrt(sum(m * (m - 1) * (2 * m + 5) / 18 for m in weeks))
    low = slopes[max(0, int((len(slopes) - spread) / 2))]
    high = slopes[min(len(slopes) - 1, ceil((len(slopes) + spread) / 2))]
    slope = median(slopes)
    return Trend(sum(counts[-WEEK:]) / WEEK + slope * (WEEK + 1) / 2, slope, low, high)


def overrun(counts: Sequence[int], today: date, capacity: float | None) -> Overrun:
    """`counts`: of the days before today."""
    found = trend(counts)
    if found is None or capacity is None:
        return Overrun("unknown")
    if sum(counts[-WEEK:]) / WEEK > capacity:
        return Overrun("over", today)
    level = found.level
    days = [_reached(level, slope, capacity) for slope in (found.slope, found.high, found.low)]
    day, earliest, latest = (None if each is None else today + timedelta(days=each) for each in days)
    return Overrun("ahead" if day else "none", day, earliest, latest)


def _reached(level: float, slope: float, capacity: float) -> int | None:
    if level > capacity:
        return 0
    if slope <= 0:
        return None
    ahead = ceil((capacity - level) / slope)
    return ahead if ahead <= FARTHEST else None
