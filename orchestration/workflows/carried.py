"""Data that a run carries from step to step: JSON, bounded, without what the database cannot keep. Pure."""

from __future__ import annotations

import re
from typing import Any

import orjson

MOST_BYTES = 16 << 10
DEPTH = 32
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class TooMuch(ValueError):
    """Data that is not carried; the text says why."""


def carried(value: Any) -> Any:
    """The value as it is kept. Raises TooMuch."""
    if _depth(value) > DEPTH:
        raise TooMuch(f"This is nested more than {DEPTH} deep.")
    try:
        body = orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError):
        raise TooMuch("This is no JSON that can be kept: whole numbers have 64 bits, texts are Unicode.") from None
    if len(body) > MOST_BYTES:
        raise TooMuch(f"This has {len(body):,} bytes; {MOST_BYTES:,} are carried. Keep it elsewhere and pass a link.")
    if _NUL.search(body):
        raise TooMuch("This holds a character that no text may hold (NUL).")
    return orjson.loads(body)


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [item for each in inner for item in (each.values() if isinstance(each, dict) else each)]
        depth += bool(inner)
        if depth > DEPTH:
            break
    return depth
