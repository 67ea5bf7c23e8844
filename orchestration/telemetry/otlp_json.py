"""OTLP in JSON: ids in hexadecimal of either case, 64-bit integers as numbers or decimal texts, enums as integers,
unknown fields ignored, `null` the same as absent. The shapes are in `otlp_shapes`.

A body is read in one go. Only when that fails are its items read one by one, so that a bad one is refused alone.
"""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from orchestration.telemetry.admission import (
    DEPTH,
    ITEMS,
    KEPT,
    PARTS,
    TOO_DEEP,
    Decoded,
    Tally,
    TooMany,
    Undecodable,
    Window,
    clean,
    finite,
    log_fault,
    mend,
    name,
    real_id,
    span_fault,
)
from orchestration.telemetry.otlp_shapes import (
    LOGS,
    METRICS,
    SPANS,
    JsonEvent,
    JsonLink,
    JsonRecord,
    JsonSpan,
    Pair,
    Reader,
    Value,
)
from orchestration.telemetry.spans import Event, Link, RawLog, RawSpan, Resource, resource_of

_NO_ID = b"?"  # of a length that no id has
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def traces(body: bytes, when: Window) -> Decoded[RawSpan]:
    request, bad = _read(SPANS, body)
    out: Decoded[RawSpan] = Decoded([], bad)
    for resource, scope, spans in _walk(request):
        for s in spans:
            ids = _id(s.trace_id), _id(s.span_id), _id(s.parent_span_id)
            if fault := span_fault(*ids, s.start_time_unix_nano or 0, s.end_time_unix_nano or 0, when):
                bad[fault] += 1
            else:
                out.items.append(_span(s, ids, resource, scope))
    return out


def logs(body: bytes, when: Window, received_ns: int) -> Decoded[RawLog]:
    request, bad = _read(LOGS, body)
    out: Decoded[RawLog] = Decoded([], bad)
    for resource, scope, records in _walk(request):
        for record in records:
            at_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
            if fault := log_fault(_id(record.trace_id), _id(record.span_id), at_ns, when):
                bad[fault] += 1
            else:
                out.items.append(_log(record, at_ns, resource, scope))
    return out


def tally_spans(body: bytes, when: Window) -> Tally:
    request, bad = _read(SPANS, body)
    out = Tally(0, bad)
    for _, _, spans in _walk(request):
        for s in spans:
            ids = _id(s.trace_id), _id(s.span_id), _id(s.parent_span_id)
            if fault := span_fault(*ids, s.start_time_unix_nano or 0, s.end_time_unix_nano or 0, when):
                bad[fault] += 1
            else:
                out.kept += 1
    return out


def tally_logs(body: bytes, when: Window, received_ns: int) -> Tally:
    request, bad = _read(LOGS, body)
    out = Tally(0, bad)
    for _, _, records in _walk(request):
        for record in records:
            at_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
            if fault := log_fault(_id(record.trace_id), _id(record.span_id), at_ns, when):
                bad[fault] += 1
            else:
                out.kept += 1
    return out


def tally_points(body: bytes) -> Tally:
    """Data points of a metrics request."""
    if body.count(b"{") > PARTS:
        raise TooMany
    try:
        request = METRICS.decode(body)
    except _UNREADABLE:
        raise Undecodable("the body is not an OTLP metrics request in JSON") from None
    return Tally(
        sum(
            metric.points()
            for group in request.resource_metrics or ()
            for scope in group.scope_metrics or ()
            for metric in scope.metrics or ()
        )
    )


def _read(reader: Reader, body: bytes) -> tuple[Any, Counter[str]]:
    if body.count(b"{") > PARTS:
        raise TooMany
    try:
        return _counted(reader.whole.decode(body)), Counter()
    except _UNREADABLE:
        pass  # perhaps one item only: look at each by itself
    if body.count(b",") > 3 * PARTS:
        raise TooMany
    try:
        request = _counted(reader.shallow.decode(mend(body)))
    except _UNREADABLE:
        raise Undecodable(f"the body is not an OTLP request of {reader.of} in JSON") from None
    return request, Counter(malformed=_read_items(reader, request))


def _counted(request: Any) -> Any:
    if sum(len(scope.items or ()) for group in request.groups or () for scope in group.scopes or ()) > ITEMS:
        raise TooMany
    return request


def _read_items(reader: Reader, request: Any) -> int:
    """Put the items that can be read into the place of the unread ones; how many are left out."""
    bad = 0
    for group in request.groups or ():
        group.resource, whose = _try(reader.resource, group.resource or b"null")
        for scope in group.scopes or ():
            found = [_try(reader.item, raw) for raw in scope.items or ()]
            scope.items = [item for item, sound in found if sound and whose]
            bad += len(found) - len(scope.items)
    return bad


def _try(decoder: msgspec.json.Decoder[Any], raw: bytes | msgspec.Raw) -> tuple[Any, bool]:
    try:
        return decoder.decode(raw), True
    except _UNREADABLE:
        return None, False


def _walk(request: Any) -> Iterator[tuple[Resource, str, list[Any]]]:
    for group in request.groups or ():
        resource = resource_of(_attributes(group.resource.attributes if group.resource else None))
        for scope in group.scopes or ():
            yield resource, name((scope.scope and scope.scope.name) or ""), scope.items or []


def _span(s: JsonSpan, ids: tuple[bytes, bytes, bytes], resource: Resource, scope: str) -> RawSpan:
    return RawSpan(
        ids[0],
        ids[1],
        real_id(ids[2]),
        name(s.name or ""),
        _small(s.kind),
        s.start_time_unix_nano or 0,
        max(s.end_time_unix_nano or 0, 0),
        _small(s.status.code) if s.status else 0,
        clean(s.status.message or "") if s.status else "",
        _attributes(s.attributes),
        [_event(event) for event in islice(s.events or (), KEPT)],
        [_link(link) for link in islice(s.links or (), KEPT)],
        resource,
        scope,
    )


def _event(event: JsonEvent) -> Event:
    at_ns = min(max(event.time_unix_nano or 0, 0), 2**64 - 1)
    return Event(name(event.name or ""), at_ns, _attributes(event.attributes))


def _link(link: JsonLink) -> Link:
    return Link(_id(link.trace_id), _id(link.span_id), _attributes(link.attributes))


def _log(record: JsonRecord, at_ns: int, resource: Resource, scope: str) -> RawLog:
    attributes = _attributes(record.attributes)
    return RawLog(
        real_id(_id(record.trace_id)),
        real_id(_id(record.span_id)),
        at_ns,
        name(record.event_name or str(attributes.get("event.name", ""))),
        _small(record.severity_number),
        _value(record.body, DEPTH),
        attributes,
        resource,
        scope,
    )


def _id(text: str | None) -> bytes:
    try:
        return bytes.fromhex(text) if text else b""
    except ValueError:
        return _NO_ID


def _small(number: int | None) -> int:
    """An enum's number; protobuf has 32 bits for it."""
    return number if number and abs(number) < 2**31 else 0


def _attributes(pairs: Iterable[Pair] | None, depth: int = DEPTH) -> dict[str, Any]:
    return {name(pair.key): _value(pair.value, depth) for pair in pairs or ()}


def _value(value: Value | None, depth: int) -> Any:
    if value is None:
        return None
    if value.string_value is not None:
        return clean(value.string_value)
    if value.int_value is not None:
        return value.int_value if -(2**63) <= value.int_value < 2**63 else str(value.int_value)
    if value.bool_value is not None:
        return value.bool_value
    if value.double_value is not None:
        return finite(value.double_value)
    return _composite(value, depth)


def _composite(value: Value, depth: int) -> Any:
    if value.bytes_value is not None:
        return _bytes(value.bytes_value)
    if value.array_value is None and value.kvlist_value is None:
        return None
    if depth <= 1:
        return TOO_DEEP
    if value.array_value is not None:
        return [_value(item, depth - 1) for item in value.array_value.values or ()]
    return _attributes(value.kvlist_value.values if value.kvlist_value else None, depth - 1)


def _bytes(text: str) -> bytes | str:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return clean(text)
