"""The time range of a page, read from `?range=`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.utils import timezone

from orchestration.lib.window import BadWindow, parse_window, window_text

CHOICES = (("1h", "1 h"), ("6h", "6 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"))
UNITS = {"h": "hour", "d": "day"}


@dataclass(frozen=True, slots=True)
class Choice:
    text: str
    query: str
    current: bool


@dataclass(frozen=True, slots=True)
class Period:
    """A window that ends now."""

    text: str
    window: timedelta
    until: datetime
    choices: tuple[Choice, ...]

    @property
    def since(self) -> datetime:
        return self.until - self.window

    @property
    def words(self) -> str:
        """`the last hour`, `the last 7 days`"""
        return f"the last {self._length}"

    @property
    def since_then(self) -> str:
        """What a change in this window is told against: the same time a day earlier, the window before a longer one."""
        if self.text == "24h":
            return "Since yesterday"
        if self.window < timedelta(days=1):
            return f"Since the same {self._length} yesterday"
        return f"Since the {self._length} before"

    @property
    def nothing_then(self) -> str:
        if self.window <= timedelta(days=1):
            return "There is no yesterday to compare with yet."
        return f"There are no {self._length} before these to compare with yet."

    @property
    def _length(self) -> str:
        count, unit = int(self.text[:-1]), UNITS[self.text[-1]]
        return unit if count == 1 else f"{count} {unit}s"


def period_of(request: HttpRequest, default: str = "24h") -> Period:
    """What the address says, else `default`; a text that is no range is answered with 400."""
    try:
        window = parse_window(request.GET.get("range", default))
    except BadWindow as error:
        raise BadRequest(f"The range must be {error}.") from error
    text = window_text(window)
    return Period(text, window, timezone.now(), tuple(_choice(request, *each, text) for each in CHOICES))


def _choice(request: HttpRequest, value: str, label: str, current: str) -> Choice:
    query = request.GET.copy()
    query["range"] = value
    query.pop("cursor", None)
    return Choice(label, query.urlencode(), value == current)
