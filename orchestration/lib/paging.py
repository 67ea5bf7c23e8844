"""Lists that go on: a page of items and an opaque cursor to the next one."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")


class BadCursor(ValueError):
    """A cursor that this list did not give out."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items of a list; `next` is the cursor of what follows, None at the end; `prev` that of what comes before, in
    lists that can be read backwards."""

    items: list[T]
    next: str | None
    prev: str | None = None


def to_cursor(place: list[Any]) -> str:
    """A place in a list (plain values) as text that goes into an address."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


def from_cursor(cursor: str, *kinds: type) -> list[Any]:
    """The place again; `kinds` are the types it must be made of. Raises BadCursor."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = orjson.loads(raw)
    except (binascii.Error, ValueError) as error:
        raise BadCursor("cursor") from error
    if not isinstance(place, list) or [type(part) for part in place] != list(kinds):
        raise BadCursor("cursor")
    return place


def cut(rows: list[T], limit: int, cursor: str | None) -> Page[T]:
    """A page of a list that is wholly in memory, whose cursor is the number of items before it."""
    start = 0
    if cursor:
        (start,) = from_cursor(cursor, int)
    if start < 0:
        raise BadCursor("cursor")
    end = start + limit
    return Page(rows[start:end], to_cursor([end]) if end < len(rows) else None)
