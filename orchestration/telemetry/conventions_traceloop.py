"""OpenLLMetry (Traceloop): its own span kinds, and what they add to spans that also speak GenAI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.telemetry.conventions_calls import note_call
from orchestration.telemetry.conventions_genai import read_agent, read_call
from orchestration.telemetry.spans import (
    AGENT,
    EMBEDDING,
    GUARDRAIL,
    HANDOFF,
    LLM,
    RETRIEVAL,
    STEP,
    TOOL,
    WORKFLOW,
    Kind,
    Observed,
    RawSpan,
)
from orchestration.telemetry.values import first, label

KINDS: Mapping[str, Kind] = {
    "workflow": WORKFLOW,
    "agent": AGENT,
    "tool": TOOL,
    "handoff": HANDOFF,
    "guardrail": GUARDRAIL,
    "llm": LLM,
}
CALLS: Mapping[str, Kind] = {
    "chat": LLM,
    "completion": LLM,
    "embedding": EMBEDDING,
    "rerank": RETRIEVAL,
}
_PREFIX = "traceloop.association.properties."
_NODE = _PREFIX + "langgraph_node"
_CONVERSATION = tuple(_PREFIX + key for key in ("session_id", "thread_id", "conversation_id", "chat_id"))


def read(raw: RawSpan, kind: Any, seen: Observed) -> None:
    """A span without `gen_ai.operation.name`."""
    attributes = raw.attributes
    seen.kind = KINDS.get(label(kind).lower(), STEP)
    entity = label(attributes.get("traceloop.entity.name"))
    if seen.kind is AGENT:
        seen.agent = label(attributes.get("gen_ai.agent.name")) or entity
        read_agent(raw, attributes, seen)
    elif seen.kind is TOOL:
        seen.subject = label(attributes.get("gen_ai.tool.name")) or entity or seen.name.removesuffix(".tool")
        note_call(
            seen,
            first(attributes, ("gen_ai.tool.call.arguments", "traceloop.entity.input")),
            first(attributes, ("gen_ai.tool.call.result", "traceloop.entity.output")),
        )
    elif seen.kind is LLM:
        read_call(raw, attributes, seen)
    elif seen.kind is HANDOFF:
        seen.hints["to"] = label(attributes.get("gen_ai.handoff.to_agent")) or entity
        seen.hints["from"] = label(attributes.get("gen_ai.handoff.from_agent"))
    elif seen.kind is GUARDRAIL:
        seen.subject = entity or seen.name
    refine(attributes, seen)


def refine(attributes: Mapping[str, Any], seen: Observed) -> None:
    """What Traceloop's attributes add to a span that was read by another convention."""
    get = attributes.get
    said = get("traceloop.span.kind")
    if said == "workflow":
        # the graph as a whole also calls itself an agent
        seen.kind, seen.agent = WORKFLOW, ""
    elif said == "task" and seen.kind is AGENT:
        seen.kind, seen.agent = STEP, label(get("gen_ai.agent.name"))
    if not seen.workflow:
        named = first(attributes, ("traceloop.workflow.name", "traceloop.entity.name"))
        if named is not None and (seen.kind is WORKFLOW or "traceloop.workflow.name" in attributes):
            seen.workflow = label(named)
    if not seen.agent:
        seen.agent = label(get(_PREFIX + "lc_agent_name"))
        if _NODE in attributes:
            _in_graph(attributes, seen)
    if not seen.conversation:
        seen.conversation = label(first(attributes, _CONVERSATION))


def _in_graph(attributes: Mapping[str, Any], seen: Observed) -> None:
    """LangGraph: an agent's graph carries the name of the node it stands in."""
    node = attributes[_NODE]
    if seen.kind is STEP and not seen.agent and node == attributes.get("traceloop.entity.name"):
        seen.hints["twin"] = label(node)


def read_old_call(raw: RawSpan, kind: Any, seen: Observed) -> None:
    """`llm.request.type` alone marked a model call before GenAI had a name for it."""
    seen.kind = CALLS.get(label(kind).lower(), LLM)
    read_call(raw, raw.attributes, seen)
    refine(raw.attributes, seen)
