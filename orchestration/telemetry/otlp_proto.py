"""OTLP in protobuf. The hot path of ingest: every field that is read makes a Python object, so the loops read each
field once, try the usual type of a value first, and call nothing that they can do without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as Described
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from orchestration.telemetry.admission import (
    DEPTH,
    ITEM_BYTES,
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
    name,
    real_id,
    span_fault,
)
from orchestration.telemetry.spans import Event, Link, RawLog, RawSpan, Resource, resource_of
from orchestration.telemetry.wire import Frame

M = TypeVar("M", bound=Message)
R = TypeVar("R")


def traces(body: bytes, when: Window) -> Decoded[RawSpan]:
    out: Decoded[RawSpan] = Decoded([])
    for resource, scope, spans in _scopes(body, Span, out.rejected, _resource):
        for s in spans:
            trace_id, span_id, parent_id = s.trace_id, s.span_id, s.parent_span_id
            start_ns, end_ns = s.start_time_unix_nano, s.end_time_unix_nano
            if fault := span_fault(trace_id, span_id, parent_id, start_ns, end_ns, when):
                out.rejected[fault] += 1
            else:
                out.items.append(_span(s, (trace_id, span_id, real_id(parent_id)), start_ns, end_ns, resource, scope))
    return out


def logs(body: bytes, when: Window, received_ns: int) -> Decoded[RawLog]:
    out: Decoded[RawLog] = Decoded([])
    for resource, scope, records in _scopes(body, LogRecord, out.rejected, _resource):
        for record in records:
            at_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
            if fault := log_fault(record.trace_id, record.span_id, at_ns, when):
                out.rejected[fault] += 1
            else:
                out.items.append(_log(record, at_ns, resource, scope))
    return out


def tally_spans(body: bytes, when: Window) -> Tally:
    out = Tally()
    for _, _, spans in _scopes(body, Span, out.rejected, bool):
        for s in spans:
            if fault := span_fault(
                s.trace_id, s.span_id, s.parent_span_id, s.start_time_unix_nano, s.end_time_unix_nano, when
            ):
                out.rejected[fault] += 1
            else:
                out.kept += 1
    return out


def tally_logs(body: bytes, when: Window, received_ns: int) -> Tally:
    out = Tally()
    for _, _, records in _scopes(body, LogRecord, out.rejected, bool):
        for record in records:
            at_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
            if fault := log_fault(record.trace_id, record.span_id, at_ns, when):
                out.rejected[fault] += 1
            else:
                out.kept += 1
    return out


def tally_points(body: bytes) -> Tally:
    """Data points of a metrics request."""
    out = Tally()
    for _, _, metrics in _scopes(body, Metric, out.rejected, bool):
        for metric in metrics:
            if kind := metric.WhichOneof("data"):
                out.kept += len(getattr(metric, kind).data_points)
    return out


def _scopes(
    body: bytes, kind: type[M], rejected: Counter[str], describe: Callable[[Described], R]
) -> Iterator[tuple[R, str, Iterator[M]]]:
    """Resource as `describe` tells it, scope's name and items of each scope. An item that cannot be read is counted;
    so are all whose resource or scope cannot, since nobody could say whose they are."""
    for group in _frame(body).groups:
        try:
            resource = describe(Described.FromString(group.resource))
        except DecodeError:
            rejected["malformed"] += sum(len(scope.items) for scope in group.scopes)
            continue
        for scope in group.scopes:
            try:
                named = name(InstrumentationScope.FromString(scope.scope).name)
            except DecodeError:
                rejected["malformed"] += len(scope.items)
            else:
                yield resource, named, _items(scope.items, kind, rejected)


def _items(encoded: Iterable[bytes], kind: type[M], rejected: Counter[str]) -> Iterator[M]:
    parse = kind.FromString
    for data in encoded:
        if len(data) > ITEM_BYTES:
            rejected["too_large"] += 1
            continue
        try:
            item = parse(data)
        except DecodeError:
            rejected["malformed"] += 1
        else:
            yield item


def _frame(body: bytes) -> Any:
    """The request with its items unread. How many parts it may have is bounded before any exists: each has a tag."""
    if body.count(b"\x12") > PARTS or body.count(b"\n") > 3 * PARTS:
        raise TooMany
    try:
        frame = Frame.FromString(body)
    except DecodeError:
        raise Undecodable("the body is not an OTLP request in protobuf") from None
    if sum(len(scope.items) for group in frame.groups for scope in group.scopes) > ITEMS:
        raise TooMany
    return frame


def _resource(described: Described) -> Resource:
    return resource_of(attributes_of(described.attributes))


def _span(
    s: Span, ids: tuple[bytes, bytes, bytes], start_ns: int, end_ns: int, resource: Resource, scope: str
) -> RawSpan:
    status = s.status
    message = status.message
    events, links = s.events, s.links
    return RawSpan(
        ids[0],
        ids[1],
        ids[2],
        name(s.name),
        s.kind,
        start_ns,
        end_ns,
        status.code,
        clean(message) if message else "",
        attributes_of(s.attributes),
        [_event(event) for event in islice(events, KEPT)] if events else [],
        [_link(link) for link in islice(links, KEPT)] if links else [],
        resource,
        scope,
    )


def _event(event: Span.Event) -> Event:
    return Event(name(event.name), event.time_unix_nano, attributes_of(event.attributes))


def _link(link: Span.Link) -> Link:
    return Link(link.trace_id, link.span_id, attributes_of(link.attributes))


def _log(record: LogRecord, at_ns: int, resource: Resource, scope: str) -> RawLog:
    attributes = attributes_of(record.attributes)
    return RawLog(
        real_id(record.trace_id),
        real_id(record.span_id),
        at_ns,
        name(record.event_name or str(attributes.get("event.name", ""))),
        record.severity_number,
        _value(record.body, DEPTH),
        attributes,
        resource,
        scope,
    )


def attributes_of(pairs: Iterable[KeyValue], depth: int = DEPTH) -> dict[str, Any]:
    """Attributes as a dict. Most values are texts, and no text that is set to something is falsy."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, value = pair.key, pair.value
        if len(key) > 64 or "\0" in key:
            key = name(key)
        text = value.string_value
        if text:
            found[key] = text if "\0" not in text else clean(text)
        else:
            found[key] = value.int_value or _value(value, depth)
    return found


def _value(value: AnyValue, depth: int) -> Any:
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
            return [_value(item, depth - 1) for item in value.array_value.values] if depth > 1 else TOO_DEEP
        case "kvlist_value":
            return attributes_of(value.kvlist_value.values, depth - 1) if depth > 1 else TOO_DEEP
    return None
