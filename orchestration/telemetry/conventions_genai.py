"""OpenTelemetry's GenAI conventions, the current names and the older ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from orchestration.telemetry.conventions_calls import note_call
from orchestration.telemetry.spans import (
    AGENT,
    EMBEDDING,
    EVALUATION,
    GUARDRAIL,
    HANDOFF,
    HUMAN,
    LLM,
    REGISTRATION,
    RETRIEVAL,
    STEP,
    TOOL,
    WORKFLOW,
    Kind,
    Observed,
    RawSpan,
)
from orchestration.telemetry.values import amount, count, first, label, parsed

# seen in the conventions, their drafts, and what producers made of them; an unknown operation is a step
OPERATIONS: Mapping[str, Kind] = {
    "invoke_agent": AGENT,
    "run_agent": AGENT,
    "agent": AGENT,
    "create_agent": REGISTRATION,
    "invoke_workflow": WORKFLOW,
    "run_workflow": WORKFLOW,
    "workflow": WORKFLOW,
    "chat": LLM,
    "chat.completions": LLM,
    "chat_completion": LLM,
    "text_completion": LLM,
    "generate_content": LLM,
    "generate": LLM,
    "completion": LLM,
    "responses": LLM,
    "response": LLM,
    "messages": LLM,
    "embeddings": EMBEDDING,
    "embedding": EMBEDDING,
    "execute_tool": TOOL,
    "tool": TOOL,
    "retrieval": RETRIEVAL,
    "retrieve": RETRIEVAL,
    "rerank": RETRIEVAL,
    "handoff": HANDOFF,
    "goto": HANDOFF,
    "apply_guardrail": GUARDRAIL,
    "guardrail": GUARDRAIL,
    "await_human_input": HUMAN,
    "human_input": HUMAN,
    "human_approval": HUMAN,
    "request_approval": HUMAN,
    "evaluate": EVALUATION,
    "evaluation": EVALUATION,
}
DONE = frozenset({"run", "execute", "call", "invoke", "invocation", "execution", "start"})
_NAMED = {"tool": TOOL, "function": TOOL, "agent": AGENT, "workflow": WORKFLOW}
_WORDS = re.compile(r"[^a-z]+")
PEOPLE = frozenset({"user", "human", "end_user", "human_user", "customer"})
# why an agent stopped, when it stopped for a person; and when for a tool that somebody else has to call
PAUSED = frozenset({"interrupt", "interrupted", "paused", "suspended", "input_required", "requires_action"})
CALLING = frozenset({"tool_calls", "tool_call", "tool-calls", "tool_use", "function_call"})
_APPROVAL = re.compile(r'"type": ?"[a-z_-]*approval[_-]request"(?:.{0,200}?"(?:tool_?)?name": ?"([^"]{1,100})")?', re.I)
FILTERED = frozenset({"content_filter", "content-filter", "guardrail_intervened", "SAFETY"})
_ARGUMENTS = (
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.arguments",
    "gen_ai.tool.input",
    "tool_arguments",
    "gcp.vertex.agent.tool_call_args",
)
_ANSWER = (
    "gen_ai.tool.call.result",
    "gen_ai.tool.output",
    "gen_ai.tool.message",
    "tool_response",
    "gcp.vertex.agent.tool_response",
)
_TO_KEYS = ("gen_ai.handoff.to_agent", "handoff.target", "gen_ai.handoff.target", "langgraph.command.goto_node")


def read(raw: RawSpan, operation: Any, seen: Observed) -> None:
    name = label(operation).lower()
    attributes = raw.attributes
    kind = OPERATIONS.get(name)
    if kind is None:
        kind = _unknown(name)
    seen.kind = kind
    agent = attributes.get("gen_ai.agent.name")
    if agent is not None:
        seen.agent = label(agent)
        if seen.agent.lower() in PEOPLE:
            return _person(seen)
    workflow = attributes.get("gen_ai.workflow.name")
    if workflow is not None:
        seen.workflow = label(workflow)
    reader = _READERS.get(kind)
    if reader is not None:
        reader(raw, attributes, seen)
    if "handoff.target" in attributes and kind is not HANDOFF:
        seen.hints["to"] = label(attributes["handoff.target"])


def _person(seen: Observed) -> None:
    """People are never agents, though some logs let them speak like one. What they say asks nobody for anything."""
    seen.kind, seen.subject, seen.agent = HUMAN, seen.agent, ""
    seen.hints["person"] = 1


@lru_cache(maxsize=1024)
def _unknown(operation: str) -> Kind:
    """Operations that no list holds: invoke_swarm, await_human_feedback, plan."""
    if operation.startswith("invoke_"):
        return WORKFLOW
    words = set(_WORDS.split(operation))
    if words & DONE:  # agent.run, tool.execute, call_tool
        found = next((kind for word, kind in _NAMED.items() if word in words), None)
        if found is not None:
            return found
    return HUMAN if "human" in operation else STEP


def read_call(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    """A call of a model."""
    model = label(attributes.get("gen_ai.response.model"))
    if not model or model == "unknown":
        model = label(attributes.get("gen_ai.request.model")) or model
    seen.subject = model
    seen.provider = label(attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system"))
    seen.tokens_in, seen.tokens_out = tokens(attributes)
    cached = first(attributes, ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"))
    if cached:
        seen.tokens_cached = count(cached)
    cost = first(attributes, ("operation.cost", "gen_ai.usage.cost", "gen_ai.usage.total_cost"))
    if cost is not None:
        seen.cost = amount(cost)
    finish = attributes.get("gen_ai.response.finish_reasons")
    if finish is not None:
        note_finish(finish, seen)


def tokens(attributes: Mapping[str, Any]) -> tuple[int, int]:
    """Input and output tokens, of one pair of keys: some producers send the old and the new names."""
    get = attributes.get
    given, made = get("gen_ai.usage.input_tokens"), get("gen_ai.usage.output_tokens")
    if given is None and made is None:
        given, made = get("gen_ai.usage.prompt_tokens"), get("gen_ai.usage.completion_tokens")
        if given is None and made is None:
            return count(get("llm.usage.total_tokens")), 0
    return count(given), count(made)


def note_finish(reasons: Any, seen: Observed) -> None:
    held = reasons if isinstance(reasons, list) else parsed(reasons) or [reasons]
    if any(reason in FILTERED for reason in held if isinstance(reason, str)):
        seen.hints["hit"] = "content_filter"


def _agent(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    seen.agent_id = label(attributes.get("gen_ai.agent.id"))
    seen.agent_version = label(attributes.get("gen_ai.agent.version"))
    if not seen.agent:
        named = seen.name.partition(" ")[2]
        if named and seen.name.startswith("invoke_agent") and named != attributes.get("gen_ai.request.model"):
            seen.agent = named
        else:
            seen.agent = seen.agent_id  # without one the fold knows it by what called it
    given, made = tokens(attributes)
    if not given and not made:
        given = count(attributes.get("gen_ai.aggregated_usage.input_tokens"))
        made = count(attributes.get("gen_ai.aggregated_usage.output_tokens"))
    if given or made:
        seen.hints["sum"] = [given, made]
    waiting = attributes.get("final_result")  # pydantic-ai: tool calls that a person has to approve first
    if isinstance(waiting, str | dict):
        _note_approvals(waiting, seen)
    _note_pause(raw, attributes, seen)


def _note_pause(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    """Whether the agent stopped for a person, by why its turn ended or by what it said last."""
    finish = attributes.get("gen_ai.response.finish_reasons")
    if finish is not None:
        _note_stop(finish, seen)
    for event in raw.events:
        if event.name == "gen_ai.choice":
            _note_stop(event.attributes.get("finish_reason"), seen)
    said = attributes.get("gen_ai.output.messages")
    asked = _APPROVAL.search(said) if isinstance(said, str) and "pproval" in said else None
    if asked:
        seen.hints["wait"], seen.hints["asks"] = "approval", f"Approve {asked[1] or 'a tool call'}?"


def _note_stop(reasons: Any, seen: Observed) -> None:
    held = reasons if isinstance(reasons, list) else parsed(reasons) or [reasons]
    if any(reason in PAUSED for reason in held if isinstance(reason, str)):
        seen.hints["wait"] = "approval"
    elif any(reason in CALLING for reason in held if isinstance(reason, str)):
        seen.hints["left"] = 1


def _note_approvals(result: str | dict[str, Any], seen: Observed) -> None:
    if isinstance(result, str) and '"approvals"' not in result:
        return
    held = parsed(result)
    asked = held.get("approvals") if isinstance(held, dict) else None
    if isinstance(asked, list) and asked:
        names = [label(call.get("tool_name")) for call in asked if isinstance(call, dict)]
        seen.hints["wait"] = "approval"
        seen.hints["asks"] = "Approve " + ", ".join(name or "a tool call" for name in names[:5]) + "?"


def _workflow(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    if not seen.workflow:
        seen.workflow = seen.name.partition(" ")[2].strip() or seen.name
    given, made = tokens(attributes)
    if given or made:
        seen.hints["sum"] = [given, made]


def _tool(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    seen.subject = label(attributes.get("gen_ai.tool.name")) or seen.name.removeprefix("execute_tool").strip()
    system = attributes.get("mcp.server.name") or attributes.get("server.address")
    if system is not None:
        seen.system = label(system)
    arguments, answer = first(attributes, _ARGUMENTS), first(attributes, _ANSWER)
    for event in raw.events:  # Strands tells both in events
        if event.name == "gen_ai.tool.message" and arguments is None:
            arguments = event.attributes.get("content")
        elif event.name == "gen_ai.choice" and answer is None:
            answer = event.attributes.get("message")
    note_call(seen, arguments, answer)


def _embedding(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    read_call(raw, attributes, seen)


def _retrieval(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    seen.subject = label(first(attributes, ("gen_ai.data_source.name", "gen_ai.data_source.id", "gen_ai.tool.name")))
    seen.system = label(first(attributes, ("db.system.name", "server.address")))


def _handoff(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    target = first(attributes, _TO_KEYS)
    goto = "langgraph.command.goto_node" in attributes
    seen.hints["to"] = label(target) or seen.name.rpartition(" ")[2].removesuffix(".handoff")
    if goto:
        seen.hints["soft"] = 1  # the node gone to need not be an agent
    source = label(attributes.get("gen_ai.handoff.from_agent"))
    if source:
        seen.hints["from"] = source


def _guardrail(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    held = attributes
    for event in raw.events:
        if event.name == "gen_ai.guardrail.result":
            held = {**attributes, **event.attributes}
    named = first(held, ("gen_ai.guardrail.name", "gen_ai.guardrail.component.name", "gen_ai.guardrail.policy.id"))
    seen.subject = label(named) or seen.name.removeprefix("apply_guardrail").strip() or seen.name
    verdict = label(first(held, ("gen_ai.guardrail.result.value", "gen_ai.guardrail.result.type")))
    if verdict:
        seen.hints["verdict"] = verdict


def _human(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    seen.hints["asks"] = label(first(attributes, ("gen_ai.human.question", "question", "prompt"))) or seen.name


_READERS: Mapping[Kind, Callable[[RawSpan, Mapping[str, Any], Observed], None]] = {
    AGENT: _agent,
    WORKFLOW: _workflow,
    LLM: read_call,
    EMBEDDING: _embedding,
    TOOL: _tool,
    RETRIEVAL: _retrieval,
    HANDOFF: _handoff,
    GUARDRAIL: _guardrail,
    HUMAN: _human,
}
read_agent, read_tool = _agent, _tool
