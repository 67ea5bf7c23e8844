"""Attributes in protobuf, remembered by the bytes they came as.

Most attributes of a day's spans are a few thousand pairs that are said again and again: which operation, model, agent.
Each such pair is decoded, looked through for secrets and rendered for storing once. A key that has many values (an id,
a prompt) is soon told from those: its values are read each time and not remembered. What is remembered is bounded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count
from sys import intern
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from orchestration.telemetry.admission import DEPTH, TEXT_BYTES, TOO_DEEP, clean, finite, name
from orchestration.telemetry.bounds import ATTRIBUTES
from orchestration.telemetry.redaction import is_sensitive, is_suspicious
from orchestration.telemetry.values import MOST

PAIR_BYTES = 192  # a longer pair is not remembered
VALUES = 1024  # remembered of one key
PAIRS = 20_000  # remembered in all; beyond that all are forgotten
_KEY = re.compile(rb"[0-9a-z_.A-Z]{1,64}")
PLAIN = (str, int, float, bool, list, type(None))

# Numbers that differ from span to span, under keys that begin so
COUNTED = (b"gen_ai.usage.", b"gen_ai.aggregated_usage.", b"llm.token_count.", b"llm.usage.", b"ai.usage.")
COUNT, UNKNOWN = -1, -2  # codes of such a number above 0, and of what is not remembered

# key, value, both as they are stored (None: to be looked at more closely), and a code: equal for equal pairs
Pair = tuple[str, Any, bytes | None, int]

BROKEN: Pair = ("baton.broken", True, b'"baton.broken":true', UNKNOWN)


class _Remembered(dict[bytes, Pair]):
    """Pairs by the bytes that they came as. Looking one up that is not known decodes it; one that cannot be decoded
    leaves a note that there was one."""

    def __init__(self) -> None:
        super().__init__()
        self.values_of: Counter[str] = Counter()
        self.code_of: dict[bytes, int] = {}
        self.codes = count()  # none comes again: whoever has one from before a clearing finds nothing by it

    def __missing__(self, data: bytes) -> Pair:
        number = counted(data)
        if number is not None:
            key, shown = _counts(data[: data[1] + 3])  # type: ignore[misc]  # it is one
            return key, number, b"%b%d" % (shown, number), COUNT
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
        key = intern(key)
        if len(data) > PAIR_BYTES or self.values_of[key] >= VALUES:
            return key, held, _shown(key, held), UNKNOWN
        if len(self) >= PAIRS:
            self.clear()
            self.values_of.clear()
            self.code_of.clear()
        self.values_of[key] += 1
        code = self.code_of[data] = next(self.codes)
        pair = self[data] = key, held, _shown(key, held), code
        return pair


@lru_cache(maxsize=1024)
def _counts(head: bytes) -> tuple[str, bytes] | None:
    """The key that a pair begins with, and the beginning of its JSON, if numbers of tokens go by it."""
    key = head[2:-1]
    if head[0] != 0x0A or head[-1] != 0x12 or not key.startswith(COUNTED) or not _KEY.fullmatch(key):
        return None
    return intern(key.decode()), b'"%b":' % key


def counted(data: bytes) -> int | None:
    """The value of a pair that is a number of tokens, read by hand: there are many, of which hardly two are alike.
    None for what is no such number above 0, or not in its shortest form."""
    at = data[1] + 5 if len(data) > 2 else 0
    digits = _digits(data[:at])
    if not digits or digits != len(data) - at:
        return None
    if digits == 2:
        low, high = data[at], data[at + 1]
        return low & 0x7F | high << 7 if low > 0x7F and 0 < high < 0x80 else None
    number = 0
    for place in range(digits):  # seven bits each, the lowest first; who is below 128 is the last
        number |= (data[at + place] & 0x7F) << (7 * place)
        if data[at + place] < 0x80 and place + 1 < digits:
            return None
    return number if 0 < data[-1] < 0x80 and number <= MOST else None


@lru_cache(maxsize=1024)
def _digits(head: bytes) -> int:
    """Of how many bytes the number is that follows, if numbers of tokens go by the key that a pair begins with."""
    if len(head) < 5 or head[-1] != 0x18 or not 2 <= head[-2] <= 6 or not _counts(head[:-2]):
        return 0
    return head[-2] - 1


_remembered = _Remembered()
code_of = _remembered.code_of.get


def pairs_of(encoded: Iterable[bytes]) -> list[Pair]:
    return list(map(_remembered.__getitem__, encoded))


def read(pairs: Sequence[Pair]) -> tuple[dict[str, Any], bytes | None]:
    """Attributes as a dict, and as the JSON that is stored of them; None where that needs a closer look: a value that
    may be a secret or is too long, a key that came twice.
    What is returned must not be changed."""
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
