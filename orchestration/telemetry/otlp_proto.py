"""OTLP in protobuf. The hot path of ingest: every field that is read makes a Python object, so the loops read each
field once, try the usual type of a value first, and call nothing that they can do without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as Described
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from orchestration.telemetry.admission import (
    DEPTH,
    ITEM_BYTES,
    ITEMS,
    KEPT,
    NO_SPAN,
    PARTS,
    Decoded,
    Tally,
    TooMany,
    Undecodable,
    Window,
    clean,
    log_fault,
    name,
    real_id,
    span_fault,
)
from orchestration.telemetry.alike import Alike, Kin, Memory
from orchestration.telemetry.otlp_attributes import attributes_of, pairs_of, read, value_of
from orchestration.telemetry.spans import Event, Link, RawLog, RawSpan, Resource, resource_of
from orchestration.telemetry.wire import Frame, Shallow

M = TypeVar("M", bound=Message)
R = TypeVar("R")


def traces(body: bytes, when: Window) -> Decoded[RawSpan]:
    out: Decoded[RawSpan] = Decoded([])
    for resource, scope, encoded in _scopes(body, out.rejected, _resource):
        for data, s in _items(encoded, Shallow, out.rejected):
            ids, times = (s.trace_id, s.span_id, s.parent_span_id), (s.start_time_unix_nano, s.end_time_unix_nano)
            if fault := span_fault(*ids, *times, when):
                out.rejected[fault] += 1
            else:
                out.items.append(_span(s, data, ids, times, resource, scope))
    return out


def known_traces(body: bytes, when: Window, memory: Memory) -> Decoded[RawSpan | Alike]:
    """The same, with spans that mean what others did left as that."""
    out: Decoded[RawSpan | Alike] = Decoded([])
    append, rejected = out.items.append, out.rejected
    for resource, scope, encoded in _scopes(body, rejected, _resource):
        kin = memory.of((resource.service, resource.environment, scope))
        find = kin.find
        for data, s in _items(_unlike(encoded, kin, when, append), Shallow, rejected):
            trace_id, span_id, parent_id = s.trace_id, s.span_id, s.parent_span_id
            start_ns, end_ns = s.start_time_unix_nano, s.end_time_unix_nano
            if fault := span_fault(trace_id, span_id, parent_id, start_ns, end_ns, when):
                rejected[fault] += 1
                continue
            if parent_id == NO_SPAN:
                parent_id = b""
            status, plain, attributes = s.status, not (s.event or s.link), s.attributes[:]
            code, message = _status(status) if status else (0, "")
            plain = plain and not message
            found = find((s.name, s.kind, code, not parent_id), attributes) if plain else None
            if found is not None:
                kin.imprint(data, s, found)
                append((found[0], trace_id, span_id, parent_id, start_ns, end_ns, found[1], found[2]))
                continue
            raw = _span(s, data, (trace_id, span_id, parent_id), (start_ns, end_ns), resource, scope)
            append(raw)
            if plain:
                kin.learn(raw, attributes)
    return out


def _unlike(
    encoded: Iterable[bytes], kin: Kin, when: Window, append: Callable[[RawSpan | Alike], None]
) -> Iterator[bytes]:
    """Spans that are not known by their bytes; the others are appended."""
    find = kin.imprints.find
    for data in encoded:
        known = find(data, when)
        if known is None:
            yield data
        else:
            append(known)


def logs(body: bytes, when: Window, received_ns: int) -> Decoded[RawLog]:
    out: Decoded[RawLog] = Decoded([])
    for resource, scope, encoded in _scopes(body, out.rejected, _resource):
        for _, record in _items(encoded, LogRecord, out.rejected):
            at_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
            if fault := log_fault(record.trace_id, record.span_id, at_ns, when):
                out.rejected[fault] += 1
            else:
                out.items.append(_log(record, at_ns, resource, scope))
    return out


def tally_spans(body: bytes, when: Window) -> Tally:
    out = Tally()
    for _, _, encoded in _scopes(body, out.rejected, bool):
        for _, s in _items(encoded, Shallow, out.rejected):
            if fault := span_fault(
                s.trace_id, s.span_id, s.parent_span_id, s.start_time_unix_nano, s.end_time_unix_nano, when
            ):
                out.rejected[fault] += 1
            else:
                out.kept += 1
    return out


def tally_logs(body: bytes, when: Window, received_ns: int) -> Tally:
    out = Tally()
    for _, _, encoded in _scopes(body, out.rejected, bool):
        for _, record in _items(encoded, LogRecord, out.rejected):
            at_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
            if fault := log_fault(record.trace_id, record.span_id, at_ns, when):
                out.rejected[fault] += 1
            else:
                out.kept += 1
    return out


def tally_points(body: bytes) -> Tally:
    """Data points of a metrics request."""
    out = Tally()
    for _, _, encoded in _scopes(body, out.rejected, bool):
        for _, metric in _items(encoded, Metric, out.rejected):
            if kind := metric.WhichOneof("data"):
                out.kept += len(getattr(metric, kind).data_points)
    return out


def _scopes(
    body: bytes, rejected: Counter[str], describe: Callable[[Described], R]
) -> Iterator[tuple[R, str, Iterable[bytes]]]:
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
                yield resource, named, scope.items


def _items(encoded: Iterable[bytes], kind: type[M], rejected: Counter[str]) -> Iterator[tuple[bytes, M]]:
    """Each item as it came and decoded; one that cannot be is counted."""
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
            yield data, item


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
    s: Any, data: bytes, ids: tuple[bytes, bytes, bytes], times: tuple[int, int], resource: Resource, scope: str
) -> RawSpan:
    attributes, kept = read(pairs_of(s.attributes[:]))
    status = s.status
    code, message = _status(status) if status else (0, "")
    events: list[Event] = []
    links: list[Link] = []
    if s.event or s.link:
        events, links = _beside(data)
    return RawSpan(
        ids[0],
        ids[1],
        real_id(ids[2]),
        name(s.name),
        s.kind,
        times[0],
        times[1],
        code,
        message,
        attributes,
        events,
        links,
        resource,
        scope,
        kept,
    )


def _beside(data: bytes) -> tuple[list[Event], list[Link]]:
    """Events and links; none when one of them cannot be read: the span itself can."""
    try:
        whole = Span.FromString(data)
    except DecodeError:
        return [], []
    return [_event(event) for event in islice(whole.events, KEPT)], [_link(link) for link in islice(whole.links, KEPT)]


@lru_cache(maxsize=1024)
def _status(encoded: bytes) -> tuple[int, str]:
    try:
        status = Status.FromString(encoded)
    except DecodeError:
        return 0, ""
    return status.code, clean(status.message)


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
        value_of(record.body, DEPTH),
        attributes,
        resource,
        scope,
    )
