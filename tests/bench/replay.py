"""Replay is harmless: the same batch in turn, at once, reversed, overlapping, as JSON, with odd times."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench.books import booked, hours_rolled, lost_and_doubled
from tests.bench.load import templates
from tests.bench.report import Report
from tests.bench.sending import Line, Sent, Taken
from tests.bench.stand import Stand
from tests.bench.traces import S, Shape

DAY_NS = 86_400 * S


def measure(stand: Stand, report: Report) -> None:
    tenant = stand.workspace()
    template = templates(1, Shape(spans=120, seed=3))[0]
    body, heads = template.fresh()
    sent = Sent(taken=[Taken(template, heads, time.time(), time.time())])
    line = Line(stand.url, tenant.key)
    answers = [line.post(body)[0] for _ in range(5)]
    report.none("five times in turn: answers that are not 200", sum(code != 200 for code in answers))
    tenant.settled()
    answers += at_once(stand.url, tenant.key, body, 16)
    whole = ExportTraceServiceRequest.FromString(body)
    for again in (reversed_order(whole), *halves(whole)):
        answers.append(line.post(again.SerializeToString())[0])
    answers.append(line.post(as_json(whole), encoding="json")[0])
    report.none(
        "at once, reversed, overlapping, as JSON: answers that are not 200", sum(code != 200 for code in answers)
    )
    tenant.settled()
    hours_rolled(tenant)
    wrong = sent.totals.differences(booked(tenant)) + sent.totals.differences(booked(tenant, "telemetry_spanhour"))
    lost, doubled, _ = lost_and_doubled(tenant, sent)
    report.none("figures that differ after all that", len(wrong), "; ".join(wrong[:3]))
    report.none("spans lost or doubled", lost + doubled)
    old = moved(whole, -400 * DAY_NS), moved(whole, 30 * DAY_NS)
    report.none(
        "too old, in the future: answers that are not 200", sum(line.post(o.SerializeToString())[0] != 200 for o in old)
    )
    tenant.settled()
    report.none("figures that differ then", len(sent.totals.differences(booked(tenant))))
    line.close()


def at_once(url: str, key: str, body: bytes, times: int) -> list[int]:
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(insist(url, key, body))) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def insist(url: str, key: str, body: bytes) -> int:
    line = Line(url, key)
    for _ in range(20):
        status, after = line.post(body)
        if status not in (0, 429, 503):
            break
        time.sleep(after or 0.5)
    line.close()
    return status


def reversed_order(whole: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    turned = ExportTraceServiceRequest()
    for group in reversed(whole.resource_spans):
        copy = turned.resource_spans.add()
        copy.resource.CopyFrom(group.resource)
        for scope in group.scope_spans:
            copy.scope_spans.add(scope=scope.scope, spans=list(reversed(scope.spans)))
    return turned


def halves(whole: ExportTraceServiceRequest) -> list[ExportTraceServiceRequest]:
    """Two requests that overlap in a third of the spans."""
    parts = []
    for first, last in ((0.0, 0.66), (0.33, 1.0)):
        part = ExportTraceServiceRequest()
        for group in whole.resource_spans:
            copy = part.resource_spans.add()
            copy.resource.CopyFrom(group.resource)
            for scope in group.scope_spans:
                n = len(scope.spans)
                copy.scope_spans.add(scope=scope.scope, spans=scope.spans[int(n * first) : int(n * last) + 1])
        parts.append(part)
    return parts


def moved(whole: ExportTraceServiceRequest, by_ns: int) -> ExportTraceServiceRequest:
    other = ExportTraceServiceRequest()
    other.CopyFrom(whole)
    for group in other.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                span.start_time_unix_nano += by_ns
                span.end_time_unix_nano += by_ns
    return other


def as_json(whole: ExportTraceServiceRequest) -> bytes:
    """OTLP/JSON has ids in hex, where protobuf's own JSON has base64."""
    found: dict[str, Any] = MessageToDict(whole, use_integers_for_enums=True)
    for group, source in zip(found["resourceSpans"], whole.resource_spans, strict=True):
        for scope, spans in zip(group["scopeSpans"], source.scope_spans, strict=True):
            for span, original in zip(scope["spans"], spans.spans, strict=True):
                span["traceId"], span["spanId"] = original.trace_id.hex(), original.span_id.hex()
                if original.parent_span_id:
                    span["parentSpanId"] = original.parent_span_id.hex()
    return json.dumps(found).encode()
