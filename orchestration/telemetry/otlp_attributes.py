"""Attributes in protobuf, remembered by the bytes they came as.

Most attributes of a day's spans are a few thousand pairs that are said again and again: which operation, model, agent.
Each such pair is decoded, looked through for secrets and rendered for storing once. A key that has many values (an id,
a prompt) is soon told from those: its values are read each time and not remembered. What is remembered is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from orchestration.telemetry.admission import DEPTH, TEXT_BYTES, TOO_DEEP, clean, finite, name
from orchestration.telemetry.bounds import ATTRIBUTES
from orchestration.telemetry.redaction import is_sensitive, is_suspicious

PAIR_BYTES = 192  # a longer pair is not remembered
VALUES = 1024  # remembered of one key
PAIRS = 20_000  # remembered in all; beyond that all are forgotten
PLAIN = (str, int, float, bool, list, type(None))

Pair = tuple[str, Any, bytes | None]  # key, value, and both as they are stored; None: to be looked at more closely


BROKEN: Pair = ("baton.broken", True, b'"baton.broken":true')


class _Remembered(dict[bytes, Pair]):
    """Pairs by the bytes that they came as. Looking one up that is not known decodes it; one that cannot be decoded
    leaves a note that there was one."""

    def __init__(self) -> None:
        super().__init__()
        self.values_of: Counter[str] = Counter()

    def __missing__(self, data: bytes) -> Pair:
        try:
            decoded = KeyValue.FromString(data)
        except DecodeError:
            return BROKEN
        key, value = decoded.key, decoded.value
        if len(key) > 64 or "\0" in key:
            key = name(key)
        # most values are texts, and no text that is set to something is falsy
        held = value.string_value or value.int_value or value_of(value, DEPTH)
        if type(held) is str and "\0" in held:
            held = clean(held)
        pair = key, held, _shown(key, held)
        if len(data) <= PAIR_BYTES and self.values_of[key] < VALUES:
            if len(self) >= PAIRS:
                self.clear()
                self.values_of.clear()
            self.values_of[key] += 1
            self[data] = pair
        return pair


_remembered = _Remembered()


def read(encoded: Iterable[bytes]) -> tuple[dict[str, Any], bytes | None]:
    """Attributes as a dict, and as the JSON that is stored of them; None where that needs a closer look: a value that
    may be a secret or is too long, a key that came twice.
    What is returned must not be changed."""
    pairs = list(map(_remembered.__getitem__, encoded))
    found = {pair[0]: pair[1] for pair in pairs}
    if len(found) != len(pairs) or len(pairs) > ATTRIBUTES:
        return found, None
    try:
        return found, b"{%b}" % b",".join([pair[2] for pair in pairs])  # type: ignore[misc]
    except TypeError:  # one of them is None
        return found, None


def _shown(key: str, value: Any) -> bytes | None:
    """A pair as `"key":value`; None for one that redaction or bounds might change."""
    kind = type(value)
    if is_sensitive(key) or kind not in PLAIN:
        return None
    if kind is str or kind is list or (kind is int and value > 10**12):
        text = str(value)
        if len(text) * 4 > TEXT_BYTES or is_suspicious(text):
            return None
    try:
        return b"%b:%b" % (_json(key), orjson.dumps(value))
    except TypeError:  # bytes in a list
        return None


@lru_cache(maxsize=4096)
def _json(key: str) -> bytes:
    return orjson.dumps(key)


def attributes_of(pairs: Iterable[KeyValue], depth: int = DEPTH) -> dict[str, Any]:
    """Attributes of anything but a span, as a dict."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, value = pair.key, pair.value
        if len(key) > 64 or "\0" in key:
            key = name(key)
        text = value.string_value
        if text:
            found[key] = text if "\0" not in text else clean(text)
        else:
            found[key] = value.int_value or value_of(value, depth)
    return found


def value_of(value: AnyValue, depth: int) -> Any:
    """Any value as plain Python."""
    match value.WhichOneof("value"):
        case "string_value":
            return clean(value.string_value)
        case "int_value":
            return value.int_value
        case "bool_value":
            return value.bool_value
        case "double_value":
            return finite(value.double_value)
        case "bytes_value":
            return value.bytes_value
        case "array_value":
            return [value_of(item, depth - 1) for item in value.array_value.values] if depth > 1 else TOO_DEEP
        case "kvlist_value":
            return attributes_of(value.kvlist_value.values, depth - 1) if depth > 1 else TOO_DEEP
    return None
