"""What several answers and questions of the JSON API share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Schema
from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from orchestration.api.auth import Caller
from orchestration.lib.window import parse_window

MOST = 500  # items of a page
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST, _NEWEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class Asked(HttpRequest):
    """A request whose caller is known."""

    auth: Caller


def _instant(value: Any) -> Any:
    """RFC 3339, or Unix nanoseconds. A time without a zone is UTC."""
    if not isinstance(value, str):
        return value
    try:
        if value.isascii() and value.isdigit():
            found = _EPOCH + timedelta(microseconds=int(value) // 1000)
        else:
            parsed = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)  # a plus not escaped
            found = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a time as RFC 3339 has it, or Unix nanoseconds") from None
    if not _OLDEST <= found < _NEWEST:
        raise ValueError("a time between the years 1970 and 9000")
    return found


def _window(value: Any) -> Any:
    return parse_window(value) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")]
Window = Annotated[
    timedelta,
    BeforeValidator(_window),
    WithJsonSchema({"type": "string", "pattern": "^([1-9]\\d{0,3})([hd])$", "examples": ["1h", "24h", "7d"]}),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "description": "RFC 3339, or Unix nanoseconds"}),
]
HOUR = timedelta(hours=1)


class PageIn(Schema):
    """What every list takes."""

    q: Text = Field("", description="Words to look for")
    limit: int = Field(50, ge=1, le=MOST)
    cursor: Text = Field("", description="`next` of the page before")


class WindowIn(Schema):
    window: Window = Field(HOUR, description="How far back from now: 1h to 30d", json_schema_extra={"default": "1h"})


class WindowPageIn(PageIn, WindowIn):
    """A list of what happened in a window."""


class TokensOut(Schema):
    input: int
    output: int


class MoneyOut(Schema):
    amount: float
    currency: str


class SplitOut(Schema):
    """Parts of the elapsed time of all runs: until somebody began, first attempts, people, attempts after the first."""

    wait: float
    work: float
    people: float
    retry: float


class ProblemOut(Schema):
    """An error as RFC 9457 has it. `errors` names the fields of a request that were wrong: of each `field` (as in
    `action.amount` or `items[2].agent`), `type` (a word for programs) and `message`; its `detail` is the same again."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
