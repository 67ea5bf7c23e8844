"""Attribute values as texts, names, counts and objects. Anything may arrive under any key: nothing here raises."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from orchestration.telemetry.admission import clean, name

MOST = 2**31 - 1  # beyond it a count is nonsense, and no column would hold it
PARSED_CHARS = 262_144  # a longer JSON text is not worth a digest's time


def text(value: Any) -> str:
    """A value as text, whole."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return clean(value.decode("utf-8", "replace"))
    if isinstance(value, list | dict):
        try:
            return orjson.dumps(value, default=str).decode()
        except (TypeError, ValueError, RecursionError):
            return ""
    return str(value)


def label(value: Any) -> str:
    """A value as a name: trimmed, at most 256 bytes. A list or an object is no name."""
    if type(value) is str:
        return _trimmed(value) if len(value) <= 64 else name(value.strip())
    if value is None or isinstance(value, list | dict | bytes):
        return ""
    return name(str(value))


@lru_cache(maxsize=8192)
def _trimmed(value: str) -> str:
    return name(value.strip())


def count(value: Any) -> int:
    """A number of tokens, however it was written; 0 for nonsense."""
    if type(value) is int:
        return value if 0 <= value <= MOST else 0
    number = amount(value)
    return int(number) if number is not None and number <= MOST else 0


def amount(value: Any) -> float | None:
    """A number that is not negative, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def parsed(value: Any) -> Any:
    """The object or list that a value is or, as JSON text, holds; None when it holds neither, or was cut off."""
    if isinstance(value, dict | list):
        return value
    if not isinstance(value, str) or not value or value[0] not in "{[" or len(value) > PARSED_CHARS:
        return None
    try:
        return orjson.loads(value)
    except ValueError:
        return None


def first(attributes: Mapping[str, Any], keys: Iterable[str]) -> Any:
    """The value of the first of `keys` that has one."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and value != "":
            return value
    return None
