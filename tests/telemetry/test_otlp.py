"""Decoding by the official protobuf classes and by JSON: the same plain values, and the same spans left out."""

from __future__ import annotations

import base64
import time
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from orchestration.telemetry.admission import DAY_NS, ITEM_BYTES, ITEMS, TOO_DEEP, TooMany, Undecodable
from orchestration.telemetry.otlp import decode_logs, decode_traces, inspect
from orchestration.telemetry.spans import RawLog, RawSpan

NOW = time.time_ns()
TRACE, SPAN = bytes(range(16)), bytes(range(8))


def attribute(key: str, value: AnyValue) -> KeyValue:
    return KeyValue(key=key, value=value)


def span(**fields: Any) -> Span:
    good: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "name": "chat",
        "start_time_unix_nano": NOW - 5_000,
        "end_time_unix_nano": NOW,
    }
    return Span(**good | fields)


def request(*spans: Span, **resource: str) -> ExportTraceServiceRequest:
    found = ExportTraceServiceRequest()
    group = found.resource_spans.add()
    group.resource.attributes.extend(attribute(k, AnyValue(string_value=v)) for k, v in resource.items())
    scope = group.scope_spans.add()
    scope.scope.name = "openinference.instrumentation"
    scope.spans.extend(spans)
    return found


def as_json(message: Message) -> bytes:
    """OTLP/JSON: ids in hexadecimal and enums as numbers, where protobuf's own JSON has base64 and names."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(item).hex() if key in ("traceId", "spanId", "parentSpanId") else walk(item)
                for key, item in value.items()
            }
        return [walk(item) for item in value] if isinstance(value, list) else value

    return orjson.dumps(walk(json_format.MessageToDict(message, use_integers_for_enums=True)))


def decoded(message: Message, encoding: str) -> list[RawSpan]:
    body = as_json(message) if encoding == "json" else message.SerializeToString()
    return decode_traces(body, encoding, NOW, 30).items


def only(message: Message, encoding: str) -> RawSpan:
    (found,) = decoded(message, encoding)
    return found


both = pytest.mark.parametrize("encoding", ["protobuf", "json"])


@both
def test_a_span_is_told_whole(encoding: str) -> None:
    sent = span(
        parent_span_id=bytes(range(1, 9)),
        kind=Span.SPAN_KIND_CLIENT,
        status=Status(code=Status.STATUS_CODE_ERROR, message="timeout"),
        attributes=[attribute("gen_ai.request.model", AnyValue(string_value="m"))],
        events=[Span.Event(name="exception", time_unix_nano=NOW, attributes=[attribute("a", AnyValue(int_value=1))])],
        links=[Span.Link(trace_id=bytes(range(2, 18)), span_id=SPAN)],
    )

    found = only(request(sent, **{"service.name": "desk", "service.version": "2"}), encoding)

    assert (found.trace_id, found.span_id, found.parent_id) == (TRACE, SPAN, bytes(range(1, 9)))
    assert (found.name, found.span_kind, found.status, found.message) == ("chat", 3, 2, "timeout")
    assert (found.start_ns, found.end_ns) == (NOW - 5_000, NOW)
    assert found.attributes == {"gen_ai.request.model": "m"}
    assert [(e.name, e.at_ns, e.attributes) for e in found.events] == [("exception", NOW, {"a": 1})]
    assert [(link.trace_id, link.span_id) for link in found.links] == [(bytes(range(2, 18)), SPAN)]
    assert (found.resource.service, found.resource.version, found.scope) == (
        "desk",
        "2",
        "openinference.instrumentation",
    )


@both
@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (AnyValue(string_value="text"), "text"),
        (AnyValue(string_value=""), ""),
        (AnyValue(string_value="a\0b"), "a\ufffdb"),
        (AnyValue(int_value=-(2**63)), -(2**63)),
        (AnyValue(int_value=0), 0),
        (AnyValue(bool_value=False), False),
        (AnyValue(bool_value=True), True),
        (AnyValue(double_value=0.0), 0.0),
        (AnyValue(double_value=1.5), 1.5),
        (AnyValue(double_value=float("nan")), "NaN"),
        (AnyValue(double_value=float("-inf")), "-Infinity"),
        (AnyValue(bytes_value=b"\xff\0"), b"\xff\0"),
        (AnyValue(), None),
        (AnyValue(array_value=ArrayValue()), []),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="x")])), [1, "x"]),
        (AnyValue(kvlist_value=KeyValueList(values=[attribute("k", AnyValue(bool_value=True))])), {"k": True}),
    ],
)
def test_a_value_of_each_type_is_told(value: AnyValue, plain: object, encoding: str) -> None:
    found = only(request(span(attributes=[attribute("v", value)])), encoding)

    assert found.attributes == {"v": plain}


@both
def test_values_nested_too_deep_are_cut_and_their_span_is_kept(encoding: str) -> None:
    value = AnyValue(string_value="bottom")
    for _ in range(40):
        value = AnyValue(array_value=ArrayValue(values=[value]))

    found = only(
        request(span(attributes=[attribute("deep", value), attribute("flat", AnyValue(int_value=1))])), encoding
    )

    inner, levels = found.attributes["deep"], 0
    while isinstance(inner, list):
        inner, levels = inner[0], levels + 1
    assert (inner, levels, found.attributes["flat"]) == (TOO_DEEP, 31, 1)


@both
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": bytes(16)}, "trace_id"),
        ({"trace_id": b"short"}, "trace_id"),
        ({"trace_id": b""}, "trace_id"),
        ({"span_id": bytes(8)}, "span_id"),
        ({"span_id": bytes(9)}, "span_id"),
        ({"parent_span_id": b"xyz"}, "parent_span_id"),
        ({"start_time_unix_nano": 0}, "no_start"),
        ({"start_time_unix_nano": NOW - 31 * DAY_NS}, "too_old"),
        ({"start_time_unix_nano": NOW + 2 * DAY_NS}, "in_the_future"),
        ({"start_time_unix_nano": 2**64 - 1}, "in_the_future"),
        ({"end_time_unix_nano": 2**64 - 1}, "in_the_future"),
    ],
)
def test_a_bad_span_is_left_out_alone(fields: dict[str, Any], reason: str, encoding: str) -> None:
    sent = request(*[span(span_id=bytes([1] * 7 + [n])) for n in range(9)], span(**fields))
    body = as_json(sent) if encoding == "json" else sent.SerializeToString()

    found, tally = decode_traces(body, encoding, NOW, 30), inspect("traces", body, encoding, NOW, 30)

    assert (len(found.items), dict(found.rejected)) == (9, {reason: 1})
    assert (tally.kept, tally.rejected) == (9, found.rejected)


@both
def test_a_parent_of_zeros_is_no_parent_and_no_end_is_no_fault(encoding: str) -> None:
    found = only(request(span(parent_span_id=bytes(8), end_time_unix_nano=0)), encoding)

    assert (found.parent_id, found.end_ns) == (b"", 0)


@both
def test_names_are_kept_to_256_bytes_and_never_cut_inside_a_letter(encoding: str) -> None:
    found = only(request(span(name="é" * 200), **{"service.name": "x" * 300}), encoding)

    assert (found.name, found.resource.service) == ("é" * 128, "x" * 256)


@both
def test_a_service_that_nobody_named_has_no_name(encoding: str) -> None:
    assert only(request(span(), **{"service.name": "unknown_service:python"}), encoding).resource.service == ""


def test_an_item_that_cannot_be_read_is_left_out_alone() -> None:
    body = (
        request(span(name="good"), span(name="EVIL"), span(name="good"))
        .SerializeToString()
        .replace(b"EVIL", b"\xff" * 4)
    )

    found = decode_traces(body, "protobuf", NOW, 30)

    assert ([s.name for s in found.items], dict(found.rejected)) == (["good", "good"], {"malformed": 1})
    assert inspect("traces", body, "protobuf", NOW, 30).rejected == found.rejected


@pytest.mark.parametrize(
    "bad",
    [
        b'{"startTimeUnixNano":"soon"}',
        b'{"kind":"SPAN_KIND_SERVER"}',
        b"null",
        b"[]",
        b'{"attributes":[{"key":1}]}',
        b'{"attributes":[{"key":"k","value":{"intValue":1.5}}]}',
    ],
)
def test_a_json_item_that_cannot_be_read_is_left_out_alone(bad: bytes) -> None:
    good = orjson.dumps(orjson.loads(as_json(request(span())))["resourceSpans"][0]["scopeSpans"][0]["spans"][0])
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + good + b"," + bad + b"," + good + b"]}]}]}"

    found = decode_traces(body, "json", NOW, 30)

    assert (len(found.items), dict(found.rejected)) == (2, {"malformed": 1})
    assert inspect("traces", body, "json", NOW, 30).rejected == found.rejected


def test_json_is_read_as_its_specification_says() -> None:
    body = orjson.dumps(
        {
            "resourceSpans": [
                {
                    "resource": None,
                    "droppedBy": "later versions",
                    "scopeSpans": [
                        {
                            "spans": [
                                {
                                    "traceId": TRACE.hex().upper(),
                                    "spanId": SPAN.hex(),
                                    "parentSpanId": None,
                                    "name": "x",
                                    "kind": 3,
                                    "startTimeUnixNano": str(NOW),
                                    "endTimeUnixNano": NOW,
                                    "attributes": [
                                        {"key": "n", "value": {"intValue": "9223372036854775807"}},
                                        {"key": "huge", "value": {"intValue": "9" * 30}},
                                        {"key": "b", "value": {"bytesValue": "AP8="}},
                                        {"key": "nan", "value": {"doubleValue": "NaN"}},
                                    ],
                                    "status": {},
                                    "unknown": [1, {"deep": []}],
                                }
                            ]
                        }
                    ],
                }
            ]
        }
    )

    (found,) = decode_traces(body, "json", NOW, 30).items

    assert (found.trace_id, found.parent_id, found.start_ns, found.end_ns) == (TRACE, b"", NOW, NOW)
    assert found.attributes == {"n": 2**63 - 1, "huge": "9" * 30, "b": b"\0\xff", "nan": "NaN"}


def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_is_kept() -> None:
    body = as_json(request(span(name="NAME"))).replace(b"NAME", rb"a\ud800b\udc00\ud83d\ude00\\ud800")

    assert decode_traces(body, "json", NOW, 30).items[0].name == "a\ufffdb\ufffd😀\\ud800"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"\xff\xff", "protobuf"),
        (request(span()).SerializeToString()[:-3], "protobuf"),
        (request(span(name="EVIL")).SerializeToString().replace(b"EVIL", b"\xff" * 4), "protobuf"),
        (b"", "json"),
        (b"[]", "json"),
        (b'"text"', "json"),
        (b'{"resourceSpans": 1}', "json"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[1]}]}]}', "json"),
        (b'{"resourceSpans":' + b"[" * 100_000, "json"),
        (b"\xff\xfe{\x00", "json"),
    ],
    ids=range(10),  # the bodies hold the time, and a test is known by its name
)
def test_what_is_no_request_is_undecodable(body: bytes, encoding: str) -> None:
    with pytest.raises(Undecodable):
        decode_traces(body, encoding, NOW, 30)
    with pytest.raises(Undecodable):
        inspect("traces", body, encoding, NOW, 30)


@both
def test_an_empty_request_holds_nothing(encoding: str) -> None:
    assert inspect("traces", b"{}" if encoding == "json" else b"", encoding, NOW, 30).kept == 0


def test_ten_million_empty_spans_are_refused_before_they_exist() -> None:
    items = b"\x12\x00" * 10_000_000
    scope = b"\x12" + _length(items) + items
    body = b"\x0a" + _length(scope) + scope

    with pytest.raises(TooMany):
        inspect("traces", body, "protobuf", NOW, 30)
    with pytest.raises(TooMany):
        inspect(
            "traces", b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 7_000_000 + b"{}]}]}]}", "json", NOW, 30
        )


def _length(data: bytes) -> bytes:
    """A protobuf length, as the official classes write it before a field of bytes."""
    return AnyValue(bytes_value=data).SerializeToString()[1 : -len(data)]


@both
def test_more_spans_than_a_request_may_have_are_refused(encoding: str) -> None:
    sent = request(*[Span()] * (ITEMS + 1))
    body = as_json(sent) if encoding == "json" else sent.SerializeToString()

    with pytest.raises(TooMany):
        inspect("traces", body, encoding, NOW, 30)


def test_a_span_of_several_megabytes_is_left_out_alone() -> None:
    body = request(span(), span(name="x" * ITEM_BYTES)).SerializeToString()

    assert dict(decode_traces(body, "protobuf", NOW, 30).rejected) == {"too_large": 1}


def logs(*records: LogRecord) -> ExportLogsServiceRequest:
    found = ExportLogsServiceRequest()
    found.resource_logs.add().scope_logs.add().log_records.extend(records)
    return found


@both
def test_a_log_record_is_told_whole_and_its_time_is_the_best_known(encoding: str) -> None:
    named = LogRecord(
        event_name="gen_ai.evaluation.result",
        time_unix_nano=NOW - 1,
        trace_id=TRACE,
        span_id=SPAN,
        body=AnyValue(string_value="words"),
        severity_number=9,  # type: ignore[arg-type]
    )
    older = LogRecord(
        observed_time_unix_nano=NOW - 2, attributes=[attribute("event.name", AnyValue(string_value="gen_ai.choice"))]
    )
    sent = logs(named, older, LogRecord())
    body = as_json(sent) if encoding == "json" else sent.SerializeToString()

    found: list[RawLog] = decode_logs(body, encoding, NOW, 30).items

    assert [r.name for r in found] == ["gen_ai.evaluation.result", "gen_ai.choice", ""]
    assert [r.at_ns for r in found] == [NOW - 1, NOW - 2, NOW]
    assert (found[0].trace_id, found[0].body, found[0].severity) == (TRACE, "words", 9)
    assert inspect("logs", body, encoding, NOW, 30).kept == 3


@both
def test_data_points_are_counted(encoding: str) -> None:
    sent = ExportMetricsServiceRequest()
    metrics = sent.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="a").gauge.data_points.add(as_int=1)
    metrics.add(name="b").histogram.data_points.extend([HistogramDataPoint(), HistogramDataPoint()])
    metrics.add(name="nothing")
    body = as_json(sent) if encoding == "json" else sent.SerializeToString()

    assert inspect("metrics", body, encoding, NOW, 30).kept == 3
