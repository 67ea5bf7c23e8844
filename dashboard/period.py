"""The time range of a page, read from `?range=`: `7d` ends now, `7d@2012-03-14` with that day. One text, so that every
link that carries the range carries its end too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.utils import timezone

from orchestration.lib.window import BadWindow, parse_window, window_text

CHOICES = (("1h", "1 h"), ("6h", "6 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"))
UNITS = {"h": "hour", "d": "day"}
EARLIEST = date(2001, 1, 1)


@dataclass(frozen=True, slots=True)
class Choice:
    text: str
    query: str
    current: bool


@dataclass(frozen=True, slots=True)
class Period:
    """A window that ends now, or with a day that is over."""

    text: str
    window: timedelta
    until: datetime
    choices: tuple[Choice, ...]
    day: date | None = None  # the last one, where it is over

    @property
    def since(self) -> datetime:
        return self.until - self.window

    @property
    def words(self) -> str:
        """`the last hour`, `the last 7 days`, `the 7 days until 14 Mar 2012`"""
        if self.day:
            return f"the {self._length} until {day_words(self.day)}"
        return f"the last {self._length}"

    @property
    def now(self) -> str:
        """The range of the same length that ends now."""
        return self.text.partition("@")[0]

    @property
    def since_then(self) -> str:
        """What a change in this window is told against: the same time a day earlier, the window before a longer one."""
        if self.text == "24h":
            return "Since yesterday"
        if self.window < timedelta(days=1) and not self.day:
            return f"Since the same {self._length} yesterday"
        return f"Since the {self._length} before"

    @property
    def nothing_then(self) -> str:
        if self.window <= timedelta(days=1):
            return "There is no yesterday to compare with yet."
        return f"There are no {self._length} before these to compare with yet."

    @property
    def _length(self) -> str:
        count, unit = int(self.now[:-1]), UNITS[self.now[-1]]
        return unit if count == 1 else f"{count} {unit}s"


def period_of(request: HttpRequest, default: str = "24h") -> Period:
    """What the address says, else `default`; a text that is no range is answered with 400."""
    length, at, end = request.GET.get("range", default).partition("@")
    try:
        window = parse_window(length)
    except BadWindow as error:
        raise BadRequest(f"The range must be {error}.") from error
    day = _day(end) if at else None
    until = _midnight_after(day) if day else timezone.now()
    text, suffix = window_text(window), f"@{day}" if day else ""
    choices = tuple(_choice(request, *each, (text, suffix)) for each in CHOICES)
    return Period(text + suffix, window, until, choices, day)


def range_over(first: datetime, last: datetime) -> str:
    """The range that ends with the day of `last` and goes back to `first`, as far as ranges go."""
    end = timezone.localtime(last).date()
    start = _midnight_after(end)
    text = next((text for text, _ in CHOICES if start - parse_window(text) <= first), CHOICES[-1][0])
    return f"{text}@{end}"


def day_words(day: date) -> str:
    return f"{day.day} {day.strftime('%b %Y')}"


def _day(text: str) -> date | None:
    """The day that a range ends with; none for today, which ends now."""
    today = timezone.localdate()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.max
    if not EARLIEST <= day <= today:
        raise BadRequest(f"The day that a range ends with must lie from {EARLIEST} to {today}, as in 7d@{today}.")
    return day if day < today else None


def _midnight_after(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))


def _choice(request: HttpRequest, value: str, label: str, current: tuple[str, str]) -> Choice:
    query = request.GET.copy()
    query["range"] = value + current[1]
    query.pop("cursor", None)
    return Choice(label, query.urlencode(), value == current[0])
