"""Spans of the neutral file format, one JSON object a line: what `import_spans` reads. Pure.

A line has trace_id (32 hex), span_id (16 hex), parent_id (or null), name, kind, start_ns, end_ns (Unix nanoseconds),
status (ok | error | unset), perhaps status_message, and attributes, of which `service.*` and `deployment.*` say whose
span it is. The command reads each line once to name what is wrong with it; the digest reads a body of good ones again.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from orchestration.telemetry.admission import DEPTH, ITEM_BYTES, Decoded, Window, clean, mend, name, real_id, span_fault
from orchestration.telemetry.spans import RawSpan, Resource, resource_of

OLDEST_NS = 946_684_800_000_000_000  # 2000-01-01: an older time is a clock that was never set
_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_STATUS = {"unset": 0, "ok": 1, "error": 2}
_OWNERS = ("service.", "deployment.")
_WORDS = {
    "trace_id": ("trace_id", "must be 32 hex digits, not all zero"),
    "span_id": ("span_id", "must be 16 hex digits, not all zero"),
    "parent_span_id": ("parent_id", "must be 16 hex digits or null"),
    "no_start": ("start_ns", "must be Unix nanoseconds"),
    "too_old": ("start_ns", "lies before the year 2000; times are Unix nanoseconds"),
    "in_the_future": ("start_ns", "or end_ns lies more than a day ahead; times are Unix nanoseconds"),
}


class BadLine(ValueError):
    """What is wrong with one line. `field` is "" when it is no object at all. The text quotes no content."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class _Line(msgspec.Struct, gc=False):
    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int | None = None
    parent_id: str | None = None
    kind: str | None = None
    status: str | None = None
    status_message: str | None = None
    attributes: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Line).decode
Resources = dict[tuple[tuple[str, Any], ...], Resource]


def since_2000(received_ns: int) -> Window:
    """Which starts an import may bring: old days are made for it."""
    return Window(OLDEST_NS, received_ns + 86_400_000_000_000)


def read_line(line: bytes, when: Window, known: Resources) -> RawSpan:
    """The span of one line. `known` holds resources seen before, since many lines share one. Raises BadLine."""
    if len(line) > ITEM_BYTES:
        raise BadLine("", f"is longer than {ITEM_BYTES >> 20} MiB")
    try:
        said = _said(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from None
    trace_id, span_id = _hex(said.trace_id), _hex(said.span_id)
    parent_id = _hex(said.parent_id) if said.parent_id else b""
    if said.parent_id and len(parent_id) != 8:
        raise BadLine(*_WORDS["parent_span_id"])
    end_ns = said.end_ns or 0
    if fault := span_fault(trace_id, span_id, parent_id, said.start_ns, end_ns, when):
        raise BadLine(*_WORDS[fault])
    if end_ns < 0:
        raise BadLine("end_ns", "must be Unix nanoseconds")
    attributes = _attributes(said.attributes or {})
    return RawSpan(
        trace_id,
        span_id,
        real_id(parent_id),
        name(said.name),
        _word(said.kind, _KINDS),
        said.start_ns,
        end_ns,
        _word(said.status, _STATUS),
        clean(said.status_message or ""),
        attributes,
        [],
        [],
        _resource(attributes, known),
        "",
    )


def decode_lines(body: bytes, received_ns: int) -> Decoded[RawSpan]:
    """The spans of a body of lines; what cannot be read is counted."""
    when, known = since_2000(received_ns), Resources()
    out: Decoded[RawSpan] = Decoded([])
    for line in body.split(b"\n"):
        try:
            out.items.append(read_line(line, when, known))
        except BadLine as bad:
            out.rejected[bad.field or "malformed"] += 1
    return out


def _said(line: bytes) -> _Line:
    try:
        return _decode(line)
    except msgspec.DecodeError:
        mended = mend(line)
        if mended == line:
            raise
        return _decode(mended)


def _unreadable(error: Exception) -> BadLine:
    message, _, path = str(error).partition(" - at ")
    if missing := re.search(r"missing required field `(\w+)`", message):
        return BadLine(missing[1], "is missing")
    if at := re.search(r"\$\.(\w+)", path):
        return BadLine(at[1], message[:1].lower() + message[1:].replace("`", ""))
    return BadLine("", "is not a JSON object")


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if len(text) <= 32 else b""
    except ValueError:
        return b""


def _word(text: str | None, words: dict[str, int]) -> int:
    """Words that nobody knows are no reason to lose a span: some sources write `unspecified`, others nothing."""
    return words.get(text.lower(), 0) if text else 0


def _resource(attributes: dict[str, Any], known: Resources) -> Resource:
    mine = tuple(
        (key, value) for key, value in attributes.items() if key.startswith(_OWNERS) and type(value) in (str, int)
    )
    found = known.get(mine)
    if found is None:
        if len(known) > 10_000:
            known.clear()
        found = known[mine] = resource_of(dict(mine))
    return found


def _attributes(found: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, value in found.items():
        plain = type(value) is str and value.isascii() and "\0" not in value
        kept[name(key)] = value if plain else _nested(value, DEPTH)
    return kept


def _nested(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)  # JSON as it is stored has no room for more
    if not isinstance(value, dict | list):
        return value
    if not depth:
        raise BadLine("attributes", f"are nested more than {DEPTH} levels deep")
    if isinstance(value, dict):
        return {name(str(key)): _nested(item, depth - 1) for key, item in value.items()}
    return [_nested(item, depth - 1) for item in value]
