from __future__ import annotations

import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from orchestration.telemetry import packing
from orchestration.telemetry.models import Delivery, Signal
from orchestration.telemetry.otlp import decode_traces
from orchestration.telemetry.wire import Status
from tests.api.door import JSON, PROTOBUF, Door, good, request, span


def test_a_request_is_stored_before_it_is_answered(door: Door) -> None:
    reply = door.traces(good(3))

    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"", PROTOBUF)
    delivery = Delivery.objects.get()
    assert (delivery.items, delivery.signal, delivery.encoding) == (3, Signal.TRACES, "protobuf")


def test_what_is_stored_is_what_was_sent(door: Door) -> None:
    sent = good(5).SerializeToString()

    door.send("/v1/traces", sent)

    delivery = Delivery.objects.get()
    assert packing.unpack(bytes(delivery.body), delivery.compression, 10**6) == sent


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress), ("GZIP", gzip.compress)],
)
def test_a_compressed_body_is_kept_as_it_came(door: Door, encoding: str, compress: object) -> None:
    sent = compress(good().SerializeToString())  # type: ignore[operator]

    reply = door.send("/v1/traces", sent, Content_Encoding=encoding)

    assert reply.status == 200
    delivery = Delivery.objects.get()
    assert (bytes(delivery.body), delivery.compression) == (sent, encoding.lower())


def test_json_is_answered_in_json(door: Door) -> None:
    reply = door.send("/v1/traces", b'{"resourceSpans": []}', f"{JSON}; charset=utf-8")

    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"{}", JSON)


def test_chunks_without_a_length_are_read(door: Door) -> None:
    body = good(40).SerializeToString()

    reply = door.send("/v1/traces", (body[i : i + 100] for i in range(0, len(body), 100)))

    assert reply.status == 200
    assert Delivery.objects.get().items == 40


def test_chunks_that_read_as_empty_are_refused(door: Door) -> None:
    assert door.send("/v1/traces", iter([])).status == 400


def test_an_empty_body_of_length_zero_is_an_empty_request(door: Door) -> None:
    reply = door.send("/v1/traces", b"", Content_Length="0")

    assert (reply.status, reply.body) == (200, b"")
    assert not Delivery.objects.exists()


def test_neighbours_of_bad_spans_are_kept_and_the_bad_ones_are_told(door: Door) -> None:
    bad = [span(20), span(21), span(22), span(23, start_ns=1)]
    bad[0].trace_id = bytes(16)
    bad[1].span_id = b"short"
    bad[2].start_time_unix_nano = 2**64 - 1

    reply = door.traces(request(*bad, *(span(i) for i in range(1, 10))))

    partial = ExportTraceServiceResponse.FromString(reply.body).partial_success
    assert (reply.status, partial.rejected_spans) == (200, 4)
    assert partial.error_message == "not kept: 1 in_the_future, 1 span_id, 1 too_old, 1 trace_id"
    assert Delivery.objects.get().items == 9


def test_partial_success_in_json_counts_by_text(door: Door) -> None:
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00","spanId":"1","name":"x"}]}]}]}'

    reply = door.send("/v1/traces", body, JSON)

    assert reply.json() == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "not kept: 1 trace_id"}}


def test_the_digest_leaves_out_the_very_spans_that_the_door_did(door: Door) -> None:
    door.traces(request(span(1), span(2, start_ns=1)))

    delivery = Delivery.objects.get()
    received_ns = int(delivery.received_at.timestamp() * 1_000_000) * 1000
    body = packing.unpack(bytes(delivery.body), delivery.compression, 10**6)
    found = decode_traces(body, delivery.encoding, received_ns, 30)
    assert ([s.name for s in found.items], dict(found.rejected)) == (["step 1"], {"too_old": 1})


def test_a_request_without_a_good_span_is_acknowledged_and_not_stored(door: Door) -> None:
    reply = door.traces(request(span(1, start_ns=1)))

    assert reply.status == 200
    assert not Delivery.objects.exists()


def test_log_records_are_stored(door: Door) -> None:
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.append(LogRecord(event_name="gen_ai.evaluation.result"))

    assert door.send("/v1/logs", logs.SerializeToString()).status == 200
    assert Delivery.objects.get().signal == Signal.LOGS


def test_metrics_are_acknowledged_and_not_stored(door: Door) -> None:
    metrics = ExportMetricsServiceRequest()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="x").gauge.data_points.add(as_int=1)

    reply = door.send("/v1/metrics", metrics.SerializeToString())

    assert (reply.status, reply.body) == (200, b"")
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("path", "method", "content_type", "status"),
    [
        ("/v1/traces", "GET", PROTOBUF, 405),
        ("/v1/traces", "POST", "text/plain", 415),
        ("/v1/traces", "POST", "", 415),
        ("/v1/profiles", "POST", PROTOBUF, 404),
        ("/v1/traces/", "POST", PROTOBUF, 200),
    ],
)
def test_the_way_to_ask_is_told_apart(door: Door, path: str, method: str, content_type: str, status: int) -> None:
    assert door.send(path, b"", content_type, method=method, Content_Length="0").status == status


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status"),
    [
        (b"\xff\xff\xff", PROTOBUF, "", 400),
        (good().SerializeToString()[:-5], PROTOBUF, "", 400),
        (b"{", JSON, "", 400),
        (b"[]", JSON, "", 400),
        (b"", JSON, "", 400),
        (b"[" * 100_000, JSON, "", 400),
        (b"not gzip", PROTOBUF, "gzip", 400),
        (gzip.compress(good().SerializeToString())[:-9], PROTOBUF, "gzip", 400),
        (b"x", PROTOBUF, "br", 415),
        (gzip.compress(bytes(21 << 20), 1), PROTOBUF, "gzip", 413),
        (zstandard.compress(bytes(21 << 20)), PROTOBUF, "zstd", 413),
        (b"\x0a" + b"\x00" * (21 << 20), PROTOBUF, "", 413),
    ],
    ids=range(12),  # the bodies hold the time, and a test is known by its name
)
def test_what_cannot_be_read_is_refused_for_good(
    door: Door, body: bytes, content_type: str, encoding: str, status: int
) -> None:
    headers = {"Content_Encoding": encoding} if encoding else {}

    reply = door.send("/v1/traces", body, content_type, **headers)  # type: ignore[arg-type]

    assert (reply.status, reply.headers["content-type"]) == (status, content_type)
    assert "retry-after" not in reply.headers


def test_an_error_is_a_status_in_the_encoding_of_the_request(door: Door) -> None:
    in_protobuf = door.send("/v1/traces", b"\xff")
    in_json = door.send("/v1/traces", b"{", JSON)

    status = Status.FromString(in_protobuf.body)
    assert (status.code, status.message.startswith("the body is not an OTLP request")) == (3, True)
    assert in_json.json()["code"] == 3


def test_a_bomb_without_a_length_is_stopped_at_the_limit(door: Door) -> None:
    reply = door.send("/v1/traces", (bytes(1 << 20) for _ in range(40)))

    assert reply.status == 413


def test_many_senders_at_once_are_all_stored(door: Door) -> None:
    body = good(50).SerializeToString()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: door.send("/v1/traces", body).status, range(40)))

    assert statuses == [200] * 40
    assert Delivery.objects.count() == 40
