"""JSON of what was stored, for whoever asks. PostgreSQL keeps all digits of a number, of which a reader of JSON has 64
bits: `1e30`, found in some span, comes back as a whole number that JSON as others read it cannot say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

WHOLE = range(-(2**63), 2**64)


def dumps(value: Any, *, option: int = 0, default: Callable[[Any], Any] | None = None) -> bytes:
    """As orjson does it; a whole number beyond 64 bits as the fraction nearest to it, and beyond those as text."""
    try:
        return orjson.dumps(value, default=default, option=option)
    except TypeError:
        return orjson.dumps(_within(value), default=default, option=option)


def _within(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _within(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_within(each) for each in value]
    if isinstance(value, int) and value not in WHOLE:
        try:
            return float(value)
        except OverflowError:
            return str(value)
    return value
