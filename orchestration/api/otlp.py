"""The door for telemetry: OTLP over HTTP, as its specification has it. A plain ASGI application in front of Django.

It takes in only what decodes, says which items it cannot keep, and answers 200 once the rest is committed. Metrics are
counted and not stored: they repeat what spans say. Answers are in the request's own encoding, errors are a
google.rpc.Status.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from orchestration.api import counters
from orchestration.api.answers import Answer, serve
from orchestration.api.arrivals import arrival
from orchestration.api.bodies import Receive, Scope, Send, header
from orchestration.api.intake import Parcel, now_ns, shutdown, startup
from orchestration.api.quota import quotas
from orchestration.api.refusals import Refused
from orchestration.telemetry.admission import Tally
from orchestration.telemetry.models import Signal
from orchestration.telemetry.otlp import inspect
from orchestration.telemetry.wire import Status

__all__ = ["application", "shutdown", "startup"]

JSON, PROTOBUF = "application/json", "application/x-protobuf"
ENCODINGS = {JSON: "json", PROTOBUF: "protobuf"}
GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}


@dataclass(frozen=True, slots=True)
class Kind:
    """One of OTLP's signals: what its answer is, and which field of it counts what was not kept."""

    name: str
    answer: Any
    rejected: str
    rejected_in_json: str
    stored_as: Signal | None = None


KINDS = {
    "/v1/traces": Kind("traces", ExportTraceServiceResponse, "rejected_spans", "rejectedSpans", Signal.TRACES),
    "/v1/logs": Kind("logs", ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords", Signal.LOGS),
    "/v1/metrics": Kind("metrics", ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    kind = KINDS.get(scope["path"].rstrip("/"))  # with a slash too: a redirect would lose the body
    content_type = header(scope, b"content-type").partition(";")[0].strip().lower()

    async def handle() -> Answer:
        if kind is None:
            raise Refused(404, "not_found", f"Telemetry goes to {', '.join(KINDS)}.")
        if scope["method"] != "POST":
            raise Refused(405, "method", "Telemetry is sent by POST.", allow="POST")
        if content_type not in ENCODINGS:
            raise Refused(415, "unsupported", f"Send {PROTOBUF} or {JSON}.")
        tally = await _take(kind, ENCODINGS[content_type], scope, receive)
        return Answer(200, content_type, _success(kind, content_type, tally))

    await serve(kind.name if kind else "none", send, handle, lambda refused: _error(content_type, refused))


async def _take(kind: Kind, encoding: str, scope: Scope, receive: Receive) -> Tally:
    async with arrival(scope, receive) as here:
        received_ns, bearer = now_ns(), here.bearer
        tally = await here.work(lambda body: inspect(kind.name, body, encoding, received_ns, bearer.span_days))
        if tally.kept and kind.stored_as:
            parcel = Parcel(bearer, kind.stored_as, encoding, *await here.packed(), tally.kept, received_ns)
            await here.store(parcel)
    quotas.spend(bearer, tally.kept, len(here.body))
    _count(kind, bearer.workspace_id, tally, len(here.body))
    return tally


def _count(kind: Kind, workspace_id: int, tally: Tally, size: int) -> None:
    counters.received.labels(kind.name).inc(size)
    counters.accepted.labels(kind.name).inc(tally.kept)
    digested = tally.kept and kind.stored_as  # then the digest counts what it leaves out of the request
    for reason, n in tally.rejected.items():
        counters.rejected.labels(kind.name, reason).inc(n)
        if not digested:
            counters.refuse(workspace_id, reason, n)


def _success(kind: Kind, content_type: str, tally: Tally) -> bytes:
    """Empty when all was kept, as the specification wants it; else how many items were not, and why."""
    rejected = tally.rejected.total()
    if not rejected:
        return b"{}" if content_type == JSON else b""
    why = _words(tally.rejected)
    if content_type == JSON:
        return orjson.dumps({"partialSuccess": {kind.rejected_in_json: str(rejected), "errorMessage": why}})
    encoded: bytes = kind.answer(partial_success={kind.rejected: rejected, "error_message": why}).SerializeToString()
    return encoded


def _words(rejected: Counter[str]) -> str:
    return "not kept: " + ", ".join(f"{n} {reason}" for reason, n in sorted(rejected.items()))


def _error(content_type: str, refused: Refused) -> Answer:
    code = GRPC_CODES.get(refused.status, 2)
    if content_type == PROTOBUF:
        encoded: bytes = Status(code=code, message=refused.detail).SerializeToString()
        return Answer(refused.status, PROTOBUF, encoded, refused.headers)
    return Answer(refused.status, JSON, orjson.dumps({"code": code, "message": refused.detail}), refused.headers)
