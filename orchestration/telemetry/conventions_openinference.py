"""OpenInference: `openinference.span.kind` says what a span is; the rest depends on who made it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestration.lib.names import normal
from orchestration.telemetry.conventions_calls import note_call
from orchestration.telemetry.conventions_genai import note_finish
from orchestration.telemetry.spans import (
    AGENT,
    BARE,
    EMBEDDING,
    EVALUATION,
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
from orchestration.telemetry.values import amount, count, first, label, parsed, text

KINDS: Mapping[str, Kind] = {
    "AGENT": AGENT,
    "WORKFLOW": WORKFLOW,
    "LLM": LLM,
    "TOOL": TOOL,
    "RETRIEVER": RETRIEVAL,
    "RERANKER": RETRIEVAL,
    "EMBEDDING": EMBEDDING,
    "GUARDRAIL": GUARDRAIL,
    "EVALUATOR": EVALUATION,
}
_CALLED = re.compile(
    r"(?:\.(?:_?(?:a|run_|_)?(?:run|call|kickoff|execute(?:_core)?|invoke|stream|print_response|generate)"
    r"(?:_async|_stream|_single_agent)?|a?continue_run))+$"
)
_CURRENT = "current_agent_name='"
_TEAM = tuple(f"smolagents.managed_agents.{i}.name" for i in range(32))
_WANTED = tuple(f"llm.output_messages.0.message.tool_calls.{i}.tool_call.function.name" for i in range(32))


def read(raw: RawSpan, kind: Any, seen: Observed) -> None:
    attributes = raw.attributes
    seen.kind = KINDS.get(label(kind).upper(), STEP)
    held = attributes.get("metadata")
    metadata = parsed(held) if held is not None else None
    if isinstance(metadata, dict):
        _langchain(metadata, seen)
    reader = _READERS.get(seen.kind)
    if reader is not None:
        reader(raw, attributes, seen)
    elif seen.kind is STEP:
        _chain(raw, attributes, seen)
    if not seen.agent:
        named = attributes.get("agent.name")
        if named is not None:
            seen.agent = label(named)
    if "gen_ai.workflow.name" in attributes:
        seen.workflow = label(attributes["gen_ai.workflow.name"])
    if raw.parent_id == b"" and seen.kind in (WORKFLOW, AGENT) and not seen.workflow:
        named = stripped(seen.name)
        seen.workflow = "" if named == "Agent" else named


def stripped(name: str) -> str:
    """A span name without the method that was called: `billing.run` is billing."""
    return _CALLED.sub("", name) or name


def _langchain(metadata: dict[str, Any], seen: Observed) -> None:
    """LangChain has no agent spans: the graph of an agent is a chain of the agent's name, everything in it tells whose
    it is."""
    agent = label(metadata.get("lc_agent_name"))
    if agent:
        seen.agent = agent
        if seen.kind is STEP and seen.name == agent:
            seen.kind = AGENT
    elif "langgraph_node" in metadata:
        if seen.kind is AGENT and normal(seen.name) in BARE:
            seen.kind = STEP  # taken for an agent by the sound of its name
        if seen.kind is STEP and metadata["langgraph_node"] == seen.name:
            seen.hints["twin"] = seen.name  # an agent's graph carries the name of the node it stands in
    if not seen.conversation:
        seen.conversation = label(first(metadata, ("session_id", "thread_id", "conversation_id")))


def _chain(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    """A chain at the top is the whole process; so is a crew, wherever it stands. LlamaIndex names the agent of a step
    only in what it passes to the step."""
    owner, _, called = seen.name.rpartition(".")
    if owner == "Agent":  # the class, not a name: the fold knows it by what called it
        seen.kind = AGENT
    elif raw.parent_id == b"" or called in ("kickoff", "kickoff_async", "akickoff"):
        seen.kind = WORKFLOW
    elif "llama_index" in raw.scope:
        given = attributes.get("input.value")
        if isinstance(given, str):
            _, found, rest = given.rpartition(_CURRENT)
            seen.agent = label(rest.partition("'")[0]) if found else ""


def _agent(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    node = label(attributes.get("graph.node.id"))
    named = first(attributes, ("agent.name", "graph.node.name"))
    seen.agent = label(named) or node or seen.agent or stripped(seen.name)
    seen.agent_id = label(first(attributes, ("agent.id", "agno.agent.id", "gen_ai.agent.id")))
    above = label(attributes.get("graph.node.parent_id"))
    if above:
        seen.hints["above"] = above
    if node and node != seen.agent:
        seen.hints["node"] = node
    given, made = _tokens(attributes)
    if given or made:
        seen.hints["sum"] = [given, made]
    team = _listed(attributes, _TEAM)
    if team:
        seen.hints["team"] = team


def _tokens(attributes: Mapping[str, Any]) -> tuple[int, int]:
    given, made = attributes.get("llm.token_count.prompt"), attributes.get("llm.token_count.completion")
    if given is None and made is None:
        return count(attributes.get("llm.token_count.total")), 0
    return count(given), count(made)


def _call(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    get = attributes.get
    model = label(first(attributes, ("llm.model_name", "llm.response.model_name", "llm.request.model_name")))
    seen.subject = "" if model == "unknown" else model
    seen.provider = label(get("llm.provider") or get("llm.system"))
    seen.tokens_in, seen.tokens_out = _tokens(attributes)
    seen.tokens_cached = count(get("llm.token_count.prompt_details.cache_read"))
    cost = get("llm.cost.total")
    if cost is not None:
        seen.cost = amount(cost)
    finish = get("llm.finish_reason")
    if finish is not None:
        note_finish(finish, seen)
    wanted = _listed(attributes, _WANTED)
    if wanted:
        seen.hints["wants"] = wanted


def _listed(attributes: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
    """A list that was flattened into numbered keys."""
    found = []
    for key in keys:
        if key not in attributes:
            break
        found.append(label(attributes[key]))
    return found


def _embedding(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    seen.subject = label(first(attributes, ("embedding.model_name", "llm.model_name")))
    seen.tokens_in, seen.tokens_out = _tokens(attributes)


def _tool(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    get = attributes.get
    named = get("tool.name") or get("gen_ai.tool.name")
    seen.subject = label(named) or stripped(seen.name)
    arguments, answer = get("input.value"), get("output.value")
    if seen.name.lower().startswith("handoff") and not named:
        seen.kind = HANDOFF
        seen.hints["to"] = label(answer) or seen.name.rpartition(" ")[2]
        if isinstance(arguments, str) and len(arguments) <= 64:
            seen.hints["from"] = label(arguments)
        return
    note_call(seen, arguments if arguments is not None else get("tool.parameters"), answer)
    if isinstance(answer, str) and answer[-24:].replace(" ", "").find('"status":"error"') >= 0:
        seen.hints["bad"] = 1  # LangGraph caught the tool's exception and made it the answer


def _retrieval(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    seen.subject = stripped(seen.name)


def _guardrail(raw: RawSpan, attributes: Mapping[str, Any], seen: Observed) -> None:
    seen.subject = stripped(seen.name)
    verdict = text(attributes.get("guardrail.result") or attributes.get("guardrail.triggered"))
    if verdict:
        seen.hints["verdict"] = verdict[:64]


_READERS: Mapping[Kind, Callable[[RawSpan, Mapping[str, Any], Observed], None]] = {
    AGENT: _agent,
    LLM: _call,
    EMBEDDING: _embedding,
    TOOL: _tool,
    RETRIEVAL: _retrieval,
    GUARDRAIL: _guardrail,
}
