"""The time range of a page, read from `?range=`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.utils import timezone

from orchestration.lib.window import BadWindow, parse_window, window_text

CHOICES = (("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"))
WORDS = {"1h": "the last hour", "24h": "the last 24 hours", "7d": "the last 7 days", "30d": "the last 30 days"}


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
        return WORDS.get(self.text, f"the last {self.text}")


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
