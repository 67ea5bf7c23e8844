"""Which spans, log records and events may come in, and what their texts are made of.

Pure, and asked twice about the same delivery: by the door, which counts what it refuses, and by the digest, which
leaves out the very same items. Both must therefore pass the delivery's own `received_ns` and `keep_days`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from math import isfinite, isnan
from typing import Generic, TypeVar

DAY_NS = 86_400_000_000_000
ANY_DAYS = 36_500  # how old an import may be
NAME_BYTES = 256
TEXT_BYTES = 16_384
ITEMS = 100_000  # in one request
ITEM_BYTES = 2 << 20  # of one span or record, encoded
PARTS = 1_000_000  # values, maps and lists in one request: each costs memory long before it says anything
SURROGATES = 200_000  # escaped, in a body that has to be mended
KEPT = 1024  # events and links of a span
DEPTH = 32  # levels of nesting kept of a value
TOO_DEEP = "[baton: nested too deep]"

_NO_TRACE = bytes(16)
NO_SPAN = bytes(8)

_SURROGATE = re.compile(
    rb"\\\\|\\u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)

T = TypeVar("T")


class Undecodable(ValueError):
    """The body as a whole is not what its content type says. The text is safe to show: it quotes no content."""


class TooMany(Undecodable):
    """More items, or more parts of items, than one request may have."""

    def __init__(self) -> None:
        super().__init__(f"the body holds more than {ITEMS:,} items or {PARTS:,} parts of them: send smaller batches")


@dataclass(slots=True)
class Decoded(Generic[T]):
    """What a body held: the items that may come in, and how many may not, by reason."""

    items: list[T]
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally:
    """The same, only counted."""

    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Window:
    """Between which starts a row has a partition to go to."""

    oldest_ns: int
    newest_ns: int


def window(received_ns: int, keep_days: int) -> Window:
    return Window(received_ns - keep_days * DAY_NS, received_ns + DAY_NS)


def span_fault(trace_id: bytes, span_id: bytes, parent_id: bytes, start_ns: int, end_ns: int, when: Window) -> str:
    """Why a span cannot be kept, "" when it can. A parent of zeros is no parent, an end of 0 no end."""
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        return "trace_id"
    if len(span_id) != 8 or span_id == NO_SPAN:
        return "span_id"
    if parent_id and len(parent_id) != 8:
        return "parent_span_id"
    if when.oldest_ns <= start_ns <= when.newest_ns and end_ns <= when.newest_ns:
        return ""
    if start_ns <= 0:
        return "no_start"
    return "too_old" if start_ns < when.oldest_ns else "in_the_future"


def log_fault(trace_id: bytes, span_id: bytes, at_ns: int, when: Window) -> str:
    """The same for a log record, which need not belong to a span."""
    if trace_id and len(trace_id) != 16:
        return "trace_id"
    if span_id and len(span_id) != 8:
        return "span_id"
    if when.oldest_ns <= at_ns <= when.newest_ns:
        return ""
    return "too_old" if at_ns < when.oldest_ns else "in_the_future"


def real_id(value: bytes) -> bytes:
    """An id, or b"" for the zeros by which some producers say "none"."""
    return value if any(value) else b""


def finite(number: float) -> float | str:
    """JSON knows no NaN and no infinity: their names in protobuf's own JSON stand for them."""
    if isfinite(number):
        return number
    return "NaN" if isnan(number) else "Infinity" if number > 0 else "-Infinity"


def mend(body: bytes) -> bytes:
    """A JSON body whose escapes name half a surrogate pair, which no parser takes, with U+FFFD in their place."""
    if body.count(b"\\ud") + body.count(b"\\uD") > SURROGATES:
        raise TooMany
    return _SURROGATE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body)


def clean(text: str) -> str:
    """Text that PostgreSQL can hold: without NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if _has_surrogate(text) else text


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def cut(text: str, limit: int) -> str:
    """The longest beginning of `text` that fits into `limit` bytes of UTF-8."""
    if len(text) * 4 <= limit or (len(text) <= limit and text.isascii()):
        return text
    return text.encode()[:limit].decode("utf-8", "ignore")


def name(text: str) -> str:
    """A name as kept: clean, at most 256 bytes."""
    if len(text) <= 64 and "\0" not in text:
        return text
    return cut(clean(text), NAME_BYTES)
