"""Telemetry as an attacker would send it: markup, templates, addresses and turned writing in every field."""

from __future__ import annotations

import os
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

MARKER = "qzmarkerzq"
PAYLOADS = (
    f"<script>window.{MARKER}=1</script>",
    f"<img src=x onerror=window.{MARKER}=1>",
    f'"onload="window.{MARKER}=1"{MARKER}',
    f"'onmouseover='window.{MARKER}=1'",
    f"javascript:window.{MARKER}=1",
    f"{{{{7*7}}}}{MARKER}{{% debug %}}",
    f"</textarea></title></style><svg/onload=window.{MARKER}=1>",
    f'<div hx-get="/{MARKER}" hx-trigger="load" hx-on:click="window.{MARKER}=1">',
    f"<a href=https://evil.example/{MARKER}>approve</a>",
    f"{MARKER}\u202eevorppa\u202c\u200b\u2066all\u2069",
    f"]]><!--{MARKER}--><math><mi//xlink:href='data:x,{MARKER}'>",
    MARKER + "\u0390" * 123,  # a kept name of 256 bytes that is three times as many letters without case
    f"{MARKER}\x00\x1b[31m\r\nSet-Cookie: {MARKER}",
)
FIELDS = 9  # names a payload is put into for each span


def request(payload: str) -> ExportTraceServiceRequest:
    """One run of two agents with a handoff, a failed tool and a question to a person, all of them called `payload`."""
    told = ExportTraceServiceRequest()
    group = told.resource_spans.add()
    group.resource.attributes.extend(
        [kv("service.name", payload), kv("service.version", payload), kv("deployment.environment.name", payload)]
    )
    scope = group.scope_spans.add()
    scope.scope.name = payload
    trace, now = os.urandom(16), time.time_ns()
    ids = [os.urandom(8) for _ in range(5)]
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": f"a {payload}", "gen_ai.agent.id": payload}
    other = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": f"b {payload}"}
    talk = {"gen_ai.conversation.id": payload, "gen_ai.workflow.name": payload, "session.id": payload}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": payload, "gen_ai.tool.call.arguments": payload}
    model = {"gen_ai.operation.name": "chat", "gen_ai.request.model": payload, "gen_ai.input.messages": payload}
    ask = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "ask_human",
        "gen_ai.tool.call.arguments": payload,
    }
    parts: list[tuple[int, dict[str, str]]] = [(-1, agent | talk), (0, model), (0, other), (2, tool), (2, ask)]
    for place, (parent, attributes) in enumerate(parts):
        span = Span(
            trace_id=trace,
            span_id=ids[place],
            parent_span_id=ids[parent] if parent >= 0 else b"",
            name=f"{attributes['gen_ai.operation.name']} {payload}",
            start_time_unix_nano=now - 10**9 + place * 10**7,
            end_time_unix_nano=now - 10**8,
            attributes=[kv(key, value) for key, value in (attributes | {payload: payload}).items()],
        )
        if attributes is tool:
            span.status.code, span.status.message = Status.STATUS_CODE_ERROR, payload
            event = span.events.add(name="exception", time_unix_nano=now)
            event.attributes.extend([kv("exception.type", payload), kv("exception.message", payload)])
        scope.spans.append(span)
    return told


def kv(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
