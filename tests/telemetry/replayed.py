"""Captured requests as observed spans, runs and, in the end, the API's "Run, alone" — without a database."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from msgspec.structs import asdict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from orchestration.telemetry.conventions import observe
from orchestration.telemetry.otlp import decode_traces
from orchestration.telemetry.spans import Observed
from orchestration.workflows.fold import fold
from orchestration.workflows.stitch import TraceFacts, continues, group, is_run
from orchestration.workflows.story import DEFAULT_RULES, Rules, Step, Story

RECEIVED_NS = 1_795_448_000_000_000_000  # the day after the captures
Body = tuple[bytes, str]


def bodies(folder: Path) -> list[Body]:
    """The requests for /v1/traces in the order of arrival: body and encoding."""
    found = []
    for line in (folder / "requests.jsonl").read_text().splitlines():
        request = json.loads(line)
        if request["path"] == "/v1/traces":
            body = (folder / request["file"]).read_bytes()
            if request["headers"].get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            found.append((body, "json" if "json" in request["headers"]["content-type"] else "protobuf"))
    return found


def as_json(body: Body) -> Body:
    """The same request as OTLP/JSON, by the official classes; ids are hex there."""
    if body[1] == "json":
        return body
    message = ExportTraceServiceRequest.FromString(body[0])
    told = json_format.MessageToDict(message, use_integers_for_enums=True)
    return json.dumps(_hex_ids(told)).encode(), "json"


def _hex_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _hex(v) if k in ("traceId", "spanId", "parentSpanId") else _hex_ids(v) for k, v in value.items()}
    return [_hex_ids(item) for item in value] if isinstance(value, list) else value


def _hex(value: str) -> str:
    return base64.b64decode(value).hex()


def spans(requests: Iterable[Body]) -> list[Observed]:
    found = []
    for body, encoding in requests:
        found += [observe(raw) for raw in decode_traces(body, encoding, RECEIVED_NS, 30).items]
    return found


def step(seen: Observed) -> Step:
    """What the database keeps of an observed span, with its times in microseconds."""
    return Step(
        seen.trace_id,
        seen.span_id,
        seen.parent_id,
        seen.start_ns // 1000 * 1000,
        seen.end_ns // 1000 * 1000,
        seen.name,
        seen.kind,
        seen.outcome,
        seen.application,
        seen.agent,
        seen.system,
        seen.subject,
        seen.workflow,
        seen.tokens_in,
        seen.tokens_out,
        None if seen.cost is None else round(seen.cost * 1e9),
        seen.error,
        seen.conversation,
        json.loads(json.dumps(seen.hints)),
    )


def stories(seen: Sequence[Observed], rules: Rules = DEFAULT_RULES) -> list[tuple[list[bytes], Story]]:
    """Runs with their traces: joined by keys, then by conversations that waited."""
    by_trace: dict[bytes, list[Observed]] = {}
    for span in seen:
        by_trace.setdefault(span.trace_id, []).append(span)
    facts = [_facts(trace, spans) for trace, spans in by_trace.items()]
    made: list[tuple[list[bytes], Story]] = []
    for joined in group(facts):
        ids = [trace.trace_id for trace in joined.traces]
        mine = [span for trace in ids for span in by_trace[trace]]
        if not is_run(span.kind for span in mine):
            continue
        story = fold([step(span) for span in mine], rules)
        earlier = next((m for m in made if continues(m[1], story.conversation, story.started_ns)), None)
        if earlier is None:
            made.append((ids, story))
            continue
        made.remove(earlier)
        ids = earlier[0] + ids
        made.append((ids, fold([step(span) for trace in ids for span in by_trace[trace]], rules)))
    return made


def _facts(trace: bytes, seen: list[Observed]) -> TraceFacts:
    roots = [span.conversation for span in seen if not span.parent_id]
    return TraceFacts(
        trace,
        min(span.start_ns for span in seen),
        next(iter(roots), ""),
        frozenset(key for span in seen for key in span.joins),
    )


def shown(traces: Sequence[bytes], story: Story) -> dict[str, Any]:
    """A run in the shape of the API's "Run, alone", as far as the comparison reads it."""
    return {
        "workflow": story.workflow,
        "status": story.status,
        "root_said_ok": story.root_said_ok,
        "trace_ids": [trace.hex() for trace in traces],
        "started_at": f"{story.started_ns:020d}",
        "agents": [name for _, name in story.agents],
        "spans": len(story.placed),
        "errors": story.errors,
        "retries": story.retries,
        "tokens": {"input": story.tokens_in, "output": story.tokens_out},
        "tool_failures": sum(not call.ok for call in story.tool_calls),
        "tool_call_list": [{**asdict(call), "at": f"{call.at_ns:020d}"} for call in story.tool_calls],
        "handoff_list": [{"from": h.from_agent, "to": h.to_agent, "rule": h.rule} for h in story.handoffs],
        "escalation_list": [asdict(escalation) for escalation in story.escalations],
        "guardrail_hits": [asdict(hit) for hit in story.guardrail_hits],
    }
