"""OTLP in protobuf. The hot path of ingest: every field that is read makes a Python object, so the loops read each
field once, try the usual type of a value first, and call nothing that they can do without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from orchestration.telemetry.admission import (
    DEPTH,
    TOO_DEEP,
    Decoded,
    Tally,
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
from orchestration.telemetry.wire import without_bad_items

M = TypeVar("M", bound=Message)


def traces(body: bytes, when: Window) -> Decoded[RawSpan]:
    request, bad = _parse(ExportTraceServiceRequest, body)
    out: Decoded[RawSpan] = Decoded([], bad)
    for group in request.resource_spans:
        resource = resource_of(attributes_of(group.resource.attributes))
        for scope in group.scope_spans:
            _spans(scope.spans, resource, name(scope.scope.name), when, out)
    return out


def logs(body: bytes, when: Window, received_ns: int) -> Decoded[RawLog]:
    request, bad = _parse(ExportLogsServiceRequest, body)
    out: Decoded[RawLog] = Decoded([], bad)
    for group in request.resource_logs:
        resource = resource_of(attributes_of(group.resource.attributes))
        for scope in group.scope_logs:
            named = name(scope.scope.name)
            for record in scope.log_records:
                at_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
                if fault := log_fault(record.trace_id, record.span_id, at_ns, when):
                    out.rejected[fault] += 1
                else:
                    out.items.append(_log(record, at_ns, resource, named))
    return out


def tally_spans(body: bytes, when: Window) -> Tally:
    request, bad = _parse(ExportTraceServiceRequest, body)
    out = Tally(0, bad)
    for group in request.resource_spans:
        for scope in group.scope_spans:
            for s in scope.spans:
                if fault := span_fault(
                    s.trace_id, s.span_id, s.parent_span_id, s.start_time_unix_nano, s.end_time_unix_nano, when
                ):
                    bad[fault] += 1
                else:
                    out.kept += 1
    return out


def tally_logs(body: bytes, when: Window, received_ns: int) -> Tally:
    request, bad = _parse(ExportLogsServiceRequest, body)
    out = Tally(0, bad)
    for group in request.resource_logs:
        for scope in group.scope_logs:
            for record in scope.log_records:
                at_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
                if fault := log_fault(record.trace_id, record.span_id, at_ns, when):
                    bad[fault] += 1
                else:
                    out.kept += 1
    return out


def count_points(body: bytes) -> int:
    """Data points in a metrics request."""
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError:
        raise Undecodable("the body is not an OTLP metrics request in protobuf") from None
    return sum(
        len(getattr(metric, kind).data_points)
        for group in request.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
        if (kind := metric.WhichOneof("data"))
    )


def _parse(whole: type[M], body: bytes) -> tuple[M, Counter[str]]:
    """The request, and how many of its items had to be left out because they cannot be read."""
    try:
        return whole.FromString(body), Counter()
    except DecodeError:
        pass  # perhaps one item only: look at each by itself
    try:
        sound, kept, bad = without_bad_items(body, whole)
        request = whole.FromString(sound)
    except DecodeError:
        kept, bad = 0, 1
    if bad and not kept:
        raise Undecodable(f"the body is not an {whole.DESCRIPTOR.name} in protobuf")
    return request, Counter(malformed=bad)


def _spans(spans: Iterable[Span], resource: Resource, scope: str, when: Window, out: Decoded[RawSpan]) -> None:
    keep = out.items.append
    for s in spans:
        trace_id, span_id, parent_id = s.trace_id, s.span_id, s.parent_span_id
        start_ns, end_ns = s.start_time_unix_nano, s.end_time_unix_nano
        if fault := span_fault(trace_id, span_id, parent_id, start_ns, end_ns, when):
            out.rejected[fault] += 1
            continue
        status = s.status
        message = status.message
        events, links = s.events, s.links
        keep(
            RawSpan(
                trace_id,
                span_id,
                real_id(parent_id),
                name(s.name),
                s.kind,
                start_ns,
                end_ns,
                status.code,
                clean(message) if message else "",
                attributes_of(s.attributes),
                [_event(event) for event in events] if events else [],
                [_link(link) for link in links] if links else [],
                resource,
                scope,
            )
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
