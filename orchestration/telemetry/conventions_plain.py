"""Spans that follow no agent convention: services, databases, and producers with words of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestration.telemetry import conventions_genai as genai
from orchestration.telemetry.conventions_calls import note_call
from orchestration.telemetry.spans import (
    AGENT,
    EMBEDDING,
    EVALUATION,
    GUARDRAIL,
    HANDOFF,
    LLM,
    MESSAGING,
    OTHER,
    REGISTRATION,
    RETRIEVAL,
    STEP,
    TOOL,
    WORKFLOW,
    Kind,
    Observed,
    RawSpan,
)
from orchestration.telemetry.values import count, first, label, text

CLIENT, PRODUCER = 3, 4

# attribute -> its values; each is one producer's own mark of what a span is
DIALECTS: Mapping[str, Mapping[str, Kind]] = {
    "langfuse.observation.type": {
        "agent": AGENT,
        "generation": LLM,
        "tool": TOOL,
        "retriever": RETRIEVAL,
        "embedding": EMBEDDING,
        "guardrail": GUARDRAIL,
        "evaluator": EVALUATION,
        "chain": STEP,
        "span": OTHER,
    },
    "mlflow.spanType": {
        "agent": AGENT,
        "llm": LLM,
        "chat_model": LLM,
        "tool": TOOL,
        "retriever": RETRIEVAL,
        "embedding": EMBEDDING,
        "workflow": WORKFLOW,
        "guardrail": GUARDRAIL,
        "chain": STEP,
        "task": STEP,
    },
    "langsmith.span.kind": {
        "llm": LLM,
        "tool": TOOL,
        "agent": AGENT,
        "retriever": RETRIEVAL,
        "embedding": EMBEDDING,
        "chain": STEP,
    },
    "mastra.span.type": {
        "agent_run": AGENT,
        "workflow_run": WORKFLOW,
        "model_generation": LLM,
        "llm_generation": LLM,
        "tool_call": TOOL,
        "mcp_tool_call": TOOL,
        "workflow_step": STEP,
        "model_step": STEP,
        "generic": OTHER,
    },
}
_VERCEL = re.compile(r"^ai\.(?:(toolCall)|(?:embed\w*)(\.doEmbed)?|\w+?(\.do(?:Generate|Stream))?)$")
_NUMBERED = re.compile(r"^[\d.:\[\]a-f]*$|^localhost$")
_TOOL_NAME = ("gen_ai.tool.name", "tool.name", "mastra.tool.name", "ai.toolCall.name")
_ARGUMENTS = (
    "gen_ai.tool.call.arguments",
    "tool_arguments",
    "input.value",
    "langfuse.observation.input",
    "mlflow.spanInputs",
)
_ANSWER = (
    "gen_ai.tool.call.result",
    "tool_response",
    "output.value",
    "langfuse.observation.output",
    "mlflow.spanOutputs",
)
_ANSWERED = frozenset(
    {"gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "gen_ai.response.model", "gen_ai.response.id"}
)
_PEER = ("server.address", "net.peer.name", "http.host", "network.peer.address")


def read(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    for key, kinds in DIALECTS.items():
        if key in attributes:
            return _dialect(raw, kinds.get(text(attributes[key]).strip('"').lower(), STEP), seen)
    if "ai.operationId" in attributes:
        return _vercel(raw, text(attributes["ai.operationId"]), seen)
    if seen.name.startswith("haystack."):
        return _haystack(attributes, seen)
    if "messaging.operation" in attributes or "messaging.system" in attributes:
        return _messaging(attributes, seen)
    if raw.span_kind in (CLIENT, PRODUCER) or "db.system" in attributes or "db.system.name" in attributes:
        seen.system = _touched(attributes)
    if seen.kind is OTHER:
        _unmarked(raw, attributes, seen)


def _dialect(raw: RawSpan, kind: Kind, seen: Observed) -> None:
    attributes = raw.attributes
    seen.kind = kind
    seen.agent = label(attributes.get("gen_ai.agent.name"))
    if kind is AGENT:
        seen.agent = seen.agent or _last_word(seen.name)
        genai.read_agent(raw, attributes, seen)
    elif kind in (LLM, EMBEDDING):
        genai.read_call(raw, attributes, seen)
    elif kind is TOOL:
        seen.subject = label(first(attributes, _TOOL_NAME)) or _last_word(seen.name)
        note_call(seen, first(attributes, _ARGUMENTS), first(attributes, _ANSWER))
    elif kind is WORKFLOW:
        seen.workflow = _last_word(seen.name)
    elif kind in (RETRIEVAL, GUARDRAIL):
        seen.subject = seen.name


def _last_word(name: str) -> str:
    """`agent run: 'billing'` and `execute_tool billing` name billing."""
    quoted = re.search(r"'([^']+)'", name)
    if quoted:
        return quoted[1]
    return name.partition(": ")[2] or name.partition(" ")[2] or name


def _vercel(raw: RawSpan, operation: str, seen: Observed) -> None:
    """The AI SDK before it spoke GenAI: an outer span a function call, an inner one each call of the model."""
    attributes = raw.attributes
    found = _VERCEL.match(operation)
    if found is None:
        seen.kind = STEP
    elif found[1]:
        seen.kind, seen.subject = TOOL, label(attributes.get("ai.toolCall.name"))
        note_call(seen, attributes.get("ai.toolCall.args"), attributes.get("ai.toolCall.result"))
    elif found[2] or found[3]:
        seen.kind = EMBEDDING if found[2] else LLM
        genai.read_call(raw, attributes, seen)
        seen.subject = seen.subject or label(attributes.get("ai.model.id"))
        if not seen.tokens_in and not seen.tokens_out:
            seen.tokens_in, seen.tokens_out = _vercel_tokens(attributes)
    else:
        named = label(first(attributes, ("ai.telemetry.functionId", "resource.name")))
        seen.kind = AGENT if named else STEP
        seen.agent = named
        given, made = _vercel_tokens(attributes)
        if given or made:
            seen.hints["sum"] = [given, made]
    if not seen.conversation:
        seen.conversation = label(attributes.get("ai.telemetry.metadata.sessionId"))


def _vercel_tokens(attributes: Mapping[str, Any]) -> tuple[int, int]:
    given = first(attributes, ("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"))
    return count(given), count(first(attributes, ("ai.usage.outputTokens", "ai.usage.completionTokens")))


_HAYSTACK: Mapping[str, Kind] = {
    "haystack.pipeline.run": WORKFLOW,
    "haystack.async_pipeline.run": WORKFLOW,
    "haystack.agent.run": AGENT,
    "haystack.agent.step.llm": LLM,
    "haystack.agent.step.tool": TOOL,
}


def _haystack(attributes: Mapping[str, Any], seen: Observed) -> None:
    """Haystack tells kinds by span names; its agents have no name but that of the component or tool they stand in."""
    seen.kind = _HAYSTACK.get(seen.name, STEP)
    if seen.kind is TOOL:
        seen.subject = label(attributes.get("haystack.tool.name"))
        arguments, answer = (attributes.get(f"haystack.agent.step.tool.{end}") for end in ("input", "output"))
        note_call(seen, arguments, answer)
        if attributes.get("haystack.tool.error"):
            seen.hints["bad"] = 1
    elif seen.kind is STEP:
        seen.subject = label(attributes.get("haystack.component.name"))
        if label(attributes.get("haystack.component.type")).endswith("Generator"):
            seen.kind, seen.subject = LLM, ""


def _messaging(attributes: Mapping[str, Any], seen: Observed) -> None:
    """A broker is a system; a runtime that passes messages between its own agents is plumbing."""
    if "messaging.system" in attributes:
        seen.system = label(attributes["messaging.system"])
    else:
        seen.kind = MESSAGING


def _touched(attributes: Mapping[str, Any]) -> str:
    """The system at the other end, by the best name that was given."""
    named = label(first(attributes, ("peer.service", "service.peer.name")))
    if named:
        return named
    address = label(first(attributes, _PEER)).partition(":")[0]
    if address and not _NUMBERED.match(address):
        return address
    return label(first(attributes, ("db.system.name", "db.system", "rpc.service"))) or address


def _unmarked(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    """Spans of older producers whose attributes leave no doubt, though none names the operation."""
    get = attributes.get
    seen.agent = label(get("gen_ai.agent.name"))
    if "workflow.name" in attributes:
        seen.kind, seen.workflow = WORKFLOW, label(get("workflow.name"))
    elif "workflow.definition" in attributes:  # Microsoft's framework tells when a workflow is built
        seen.kind = REGISTRATION
    elif "executor.id" in attributes or "edge_group.id" in attributes:
        seen.kind = STEP
    elif "gen_ai.tool.name" in attributes:
        seen.kind = TOOL
        genai.read_tool(raw, attributes, seen)
    elif "gen_ai.request.model" in attributes and (raw.status == 2 or not _ANSWERED.isdisjoint(attributes)):
        seen.kind = LLM
        genai.read_call(raw, attributes, seen)
    elif "agent_name" in attributes and ("model_name" in attributes or seen.name == "agent run"):
        seen.kind, seen.agent = AGENT, label(get("agent_name"))
        genai.read_agent(raw, attributes, seen)
    elif "gen_ai.system" in attributes or "agent_trace_id" in attributes:
        _logged(attributes, seen)


def _logged(attributes: Mapping[str, Any], seen: Observed) -> None:
    """Spans of an SDK of agents that were logged as they are (Logfire): their fields, whatever the span is called, say
    what they are."""
    named = label(attributes.get("name"))
    if "agent_trace_id" in attributes:  # the SDK's own trace
        seen.kind, seen.workflow = WORKFLOW, named
        seen.conversation = seen.conversation or label(attributes.get("group_id"))
    elif "from_agent" in attributes and "to_agent" in attributes:
        seen.kind = HANDOFF
        seen.hints["from"], seen.hints["to"] = label(attributes["from_agent"]), label(attributes["to_agent"])
    elif named and "handoffs" in attributes:
        seen.kind, seen.agent = AGENT, named
    elif named and "triggered" in attributes:
        seen.kind, seen.subject = GUARDRAIL, named
        seen.hints["verdict"] = text(attributes["triggered"])[:64]
    elif named and "input" in attributes:
        seen.kind, seen.subject = TOOL, named
        note_call(seen, attributes["input"], attributes.get("output"))
    else:
        seen.kind = STEP
