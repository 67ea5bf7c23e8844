"""How much of a span's attributes is stored. Pure; run after the mapping has read the whole and secrets are out."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Container
from typing import Any

import orjson

from orchestration.telemetry.admission import TEXT_BYTES, cut

ATTRIBUTES = 128
CUT, DROPPED = (
    "baton.cut",
    "baton.dropped",
)  # notes left among the attributes: how many values were cut, how many dropped


def bound_attributes(
    attributes: dict[str, Any],
    reads: Container[str] = frozenset(),
    *,
    limit: int = ATTRIBUTES,
    value_bytes: int = TEXT_BYTES,
) -> tuple[dict[str, Any], int]:
    """Attributes ready for JSON, and how many values were cut or dropped: at most `limit` beside those that the
    mapping reads, the first ones, none of more than `value_bytes`. The very same dict when nothing had to change."""
    changed: dict[str, Any] = {}
    cuts = 0
    for key, value in attributes.items():
        kind = type(value)
        if kind is str:
            if len(value) * 4 > value_bytes and (shorter := cut(value, value_bytes)) is not value:
                changed[key], cuts = shorter, cuts + 1
        elif kind is list or kind is dict or kind is bytes:
            changed[key], was_cut = _composite(value, value_bytes)
            cuts += was_cut
    kept = {**attributes, **changed} if changed else attributes
    dropped = len(attributes) - limit
    if dropped > 0:
        kept, dropped = _first(kept, limit, reads)
    if cuts:
        kept = {**kept, CUT: cuts}
    if dropped > 0:
        kept = {**kept, DROPPED: dropped}
    return kept, cuts + max(dropped, 0)


def _composite(value: Any, value_bytes: int) -> tuple[Any, bool]:
    """A list, map or bytes as JSON can hold it; as the beginning of its JSON text when that is too long."""
    try:
        encoded = orjson.dumps(value)
    except TypeError:  # bytes in it
        value = _without_bytes(value)
        encoded = orjson.dumps(value)
    if len(encoded) <= value_bytes:
        return value, False
    text = value if isinstance(value, str) else encoded.decode()
    return cut(text, value_bytes), True


def _without_bytes(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, list):
        return [_without_bytes(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_bytes(item) for key, item in value.items()}
    return value


def _first(attributes: dict[str, Any], limit: int, reads: Container[str]) -> tuple[dict[str, Any], int]:
    kept: dict[str, Any] = {}
    room = limit
    for key, value in attributes.items():
        if key in reads:
            kept[key] = value
        elif room > 0:
            kept[key] = value
            room -= 1
    return kept, len(attributes) - len(kept)
