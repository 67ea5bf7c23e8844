"""What a span means, by its own attributes: which convention it follows, and what that convention says.

The order of tests is the order of trust: the first mark that is found decides (`_read`). One trace may mix conventions.
Spans without any mark stay in the trace without an agent's meaning. Nothing here raises, whatever arrives.
This is the digest's hot path: every line below runs for every span.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestration.telemetry import (
    conventions_genai,
    conventions_openinference,
    conventions_plain,
    conventions_protocols,
    conventions_traceloop,
)
from orchestration.telemetry.admission import name
from orchestration.telemetry.conventions_outcome import STATUS_KEYS, judge
from orchestration.telemetry.spans import ERROR, OK, OTHER, Observed, RawSpan
from orchestration.telemetry.values import label, text

_CONVERSATION = (
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "gcp.vertex.agent.session_id",
    "a2a.context.id",
    "thread_id",
)
_JOINING = frozenset({"baton.run.id", "a2a.task.id", "messaging.destination", "gen_ai.agent.id"})
_FAILING = frozenset({"error.type", *STATUS_KEYS})
_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# an agent runtime names each of its topics and agents after itself, twice: billing_UUID/UUID, group_topic_UUID.(UUID)-T
_RUNTIME = re.compile(rf"_({_UUID})[./(]+\1\b")


def observe(raw: RawSpan) -> Observed:
    resource = raw.resource
    seen = Observed(
        raw.trace_id,
        raw.span_id,
        raw.parent_id,
        raw.start_ns,
        raw.end_ns,
        name(raw.name),
        OTHER,
        OK,
        resource.service,
        resource.environment,
    )
    attributes = raw.attributes
    for key in _CONVERSATION:
        if key in attributes:
            seen.conversation = label(attributes[key])
            break
    _read(raw, attributes, seen)
    if raw.status == 2 or raw.events or not _FAILING.isdisjoint(attributes):
        judge(raw, seen)
    if seen.hints.pop("bad", None):
        seen.outcome = ERROR
        seen.error = seen.error or "the tool's answer is an error"
    if raw.links or not _JOINING.isdisjoint(attributes):
        seen.joins = _joins(raw, attributes)
    return seen


def _read(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    get = attributes.get
    mark = get("gen_ai.operation.name")
    if mark is not None:
        conventions_genai.read(raw, mark, seen)
        if "traceloop.workflow.name" in attributes or "traceloop.span.kind" in attributes:
            conventions_traceloop.refine(attributes, seen)
    elif (mark := get("openinference.span.kind")) is not None:
        conventions_openinference.read(raw, mark, seen)
    elif (mark := get("traceloop.span.kind")) is not None:
        conventions_traceloop.read(raw, mark, seen)
    elif (mark := get("mcp.method.name")) is not None:
        conventions_protocols.read_mcp(raw, mark, seen)
    elif (mark := get("a2a.method.name")) is not None:
        conventions_protocols.read_a2a(raw, mark, seen)
    elif (mark := get("llm.request.type")) is not None:
        conventions_traceloop.read_old_call(raw, mark, seen)
    else:
        conventions_plain.read(raw, attributes, seen)


def _joins(raw: RawSpan, attributes: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Keys that tie this span's trace to others of the same run. `workflows.stitch` says why only these.

    A link counts on the first span of a trace, and only when it leads to a single other trace: a consumer that took a
    batch of messages links to the traces of all its senders, which have nothing to do with one another.
    """
    joins = []
    if "baton.run.id" in attributes and (run := text(attributes["baton.run.id"])[:256]):
        joins.append(("baton", run))
    if "a2a.task.id" in attributes and (task := label(attributes["a2a.task.id"])):
        joins.append(("a2a", task))
    if raw.parent_id == b"":
        linked = {link.trace_id for link in raw.links} - {raw.trace_id}
        if len(linked) == 1:
            joins.append(("link", linked.pop().hex()))
        elif not raw.links and attributes.get("messaging.message.type") != "GroupChatStart":
            spoken = text(attributes.get("gen_ai.agent.id") or attributes.get("messaging.destination"))
            runtime = _RUNTIME.search(spoken, 0, 1000)
            if runtime:
                joins.append(("runtime", runtime[1].lower()))
    return tuple(joins)
