"""The shapes of frameworks that were not captured, as their own versions of late 2026 send them: one refund desk each,
in which triage looks a customer up and billing takes over, tries twice and finishes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.telemetry.spans import Event
from tests.telemetry.told import BEGIN_NS, ERROR, Told, names, tools, transfers

OPERATION = "gen_ai.operation.name"
KIND = "openinference.span.kind"
USED = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}
EXPECTED_TOOLS = [("look_up", True, 1), ("refund", False, 1), ("refund", True, 2)]


def google_adk() -> Told:
    """Sub-agents run beside the caller; the transfer tool keeps its argument to itself unless content is recorded."""
    told = Told()
    root = told.span("invoke_workflow t", {OPERATION: "invoke_workflow", "gen_ai.workflow.name": "desk"}, at=(0, 100))
    triage = told.agent("triage", under=root, at=(1, 40))
    told.span("generate_content m", {OPERATION: "generate_content", **USED}, under=triage, at=(2, 9))
    told.tool("look_up", under=triage, at=(5, 8))
    told.span("generate_content m", {OPERATION: "generate_content", **USED}, under=triage, at=(10, 19))
    told.tool("transfer_to_agent", under=triage, at=(15, 18))
    billing = told.agent("billing", under=root, at=(41, 99))
    told.span("generate_content m", {OPERATION: "generate_content", **USED}, under=billing, at=(42, 50))
    told.tool("(merged tools)", under=billing, at=(51, 52))
    told.tool("refund", under=billing, at=(53, 60), status=ERROR)
    told.tool("refund", under=billing, at=(61, 70))
    return told


def strands() -> Told:
    """Agents as tools; cycles in between; sums on agents; arguments and answers in events."""
    told = Told()
    sums = {"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 4, "gen_ai.usage.prompt_tokens": 20}
    cycle = {OPERATION: "execute_event_loop_cycle"}
    asked = [Event("gen_ai.tool.message", BEGIN_NS, {"content": '{"order": "A-1"}'})]
    triage = told.agent("triage", at=(0, 100), also=sums)
    first = told.span("execute_event_loop_cycle", cycle, under=triage, at=(1, 99))
    told.span("chat", {OPERATION: "chat", **USED, "gen_ai.usage.prompt_tokens": 10}, under=first, at=(2, 9))
    told.tool("look_up", under=first, at=(10, 15))
    told.span("chat", {OPERATION: "chat", **USED}, under=first, at=(16, 19))
    call = told.tool("ask_billing", under=first, at=(20, 95))
    second = told.span("cycle", cycle, under=told.agent("billing", under=call, at=(21, 94), also=sums), at=(22, 93))
    told.span("chat", {OPERATION: "chat", **USED}, under=second, at=(23, 29))
    told.tool("refund", under=second, at=(30, 40), events=asked, also={"gen_ai.tool.status": "error"})
    told.tool("refund", under=second, at=(41, 50), events=asked)
    return told


def strands_swarm() -> Told:
    """Agents in turn below a swarm; the caller's turn goes on for a while after it has handed over."""
    told = Told()
    swarm = told.span("invoke_swarm", {OPERATION: "invoke_swarm"}, at=(0, 100), kind=3)
    triage = told.agent("triage", under=swarm, at=(1, 40))
    told.chat(under=triage, at=(2, 9))
    told.tool("look_up", under=triage, at=(10, 12))
    told.tool("handoff_to_agent", under=triage, at=(13, 15))
    told.chat(under=triage, at=(16, 39))
    billing = told.agent("billing", under=swarm, at=(41, 99))
    told.chat(under=billing, at=(42, 50))
    told.tool("refund", under=billing, at=(51, 60), status=ERROR)
    told.tool("refund", under=billing, at=(61, 70))
    return told


def microsoft_workflow() -> Told:
    """Agents as executors of a graph: nothing says that work passes from one to the next."""
    told = Told()
    root = told.span("workflow.run", {"workflow.name": "desk", "workflow.id": "w"}, at=(0, 100))
    told.span("edge_group.process X", {"edge_group.id": "X/1"}, under=root, at=(1, 2))
    ran = told.span("executor.process triage", {"executor.id": "triage"}, under=root, at=(3, 40))
    sums = {"gen_ai.agent.id": "f8cb", "gen_ai.request.model": "m-1", **USED}
    triage = told.agent("triage", under=ran, at=(4, 39), also=sums)
    told.chat(under=triage, at=(5, 9))
    told.tool("look_up", under=triage, at=(10, 15))
    told.chat(under=triage, at=(16, 20))
    ran = told.span("executor.process billing", {"executor.id": "billing"}, under=root, at=(41, 99))
    billing = told.agent("billing", under=ran, at=(42, 98), also=sums)
    told.chat(under=billing, at=(43, 50))
    told.tool("refund", under=billing, at=(51, 60), status=ERROR)
    told.tool("refund", under=billing, at=(61, 70))
    return told


def semantic_kernel() -> Told:
    """Agents as plugin functions, tools with their plugin before their name."""
    told = Told()
    loop = {"sk.available_functions": "look_up"}
    triage = told.agent("triage", at=(0, 100))
    first = told.span("AutoFunctionInvocationLoop", loop, under=triage, at=(1, 99))
    told.span("chat.completions m", {OPERATION: "chat.completions", **USED}, under=first, at=(2, 9))
    told.tool("Shop-look_up", under=first, at=(10, 15))
    told.chat(under=first, at=(16, 19))
    call = told.tool("billing-billing", under=first, at=(20, 90))
    second = told.span("loop", loop, under=told.agent("billing", under=call, at=(21, 89)), at=(22, 88))
    told.chat(under=second, at=(23, 29))
    told.tool("Shop-refund", under=second, at=(30, 40), status=ERROR)
    told.tool("Shop-refund", under=second, at=(41, 50))
    return told


def agno_team() -> Told:
    """Teams whose members are named in `delegate_task_to_member`, with ids of nodes that are no names."""
    told = Told()
    call = {KIND: "LLM", "llm.token_count.prompt": 10, "llm.token_count.completion": 2}
    lead = {KIND: "AGENT", "graph.node.id": "a1b2", "graph.node.name": "triage"}
    triage = told.span("triage.run", lead, at=(0, 100))
    told.span("OpenAIChat.invoke", call, under=triage, at=(1, 9))
    told.span("look_up", {KIND: "TOOL", "tool.name": "look_up"}, under=triage, at=(10, 15))
    told.span("OpenAIChat.invoke", call, under=triage, at=(16, 19))
    given = {KIND: "TOOL", "tool.name": "delegate_task_to_member", "input.value": '{"member_id": "billing"}'}
    told.span("delegate_task_to_member", given, under=triage, at=(20, 21))
    member = {KIND: "AGENT", "graph.node.id": "c3d4", "graph.node.name": "billing", "graph.node.parent_id": "a1b2"}
    billing = told.span("billing.run", member, under=triage, at=(22, 90))
    told.span("OpenAIChat.invoke", call, under=billing, at=(23, 29))
    told.span("refund", {KIND: "TOOL", "tool.name": "refund"}, under=billing, at=(30, 40), status=ERROR)
    told.span("refund", {KIND: "TOOL", "tool.name": "refund"}, under=billing, at=(41, 50))
    return told


def llama_index() -> Told:
    """No agent spans at all: steps of one workflow, each given the name of the agent whose turn it is."""
    told = Told()
    root = told.span("AgentWorkflow.run", {KIND: "CHAIN"}, at=(0, 100), scope="x.llama_index")
    wanted = "llm.output_messages.0.message.tool_calls.0.tool_call.function.name"

    def turn(agent: str, tool: str, start: int, **more: Any) -> None:
        given = {KIND: "CHAIN", "input.value": f"AgentSetup(input=[], current_agent_name='{agent}')"}
        ran = told.span("AgentWorkflow.run_agent_step", given, under=root, at=(start, start + 6), scope="x.llama_index")
        counts = {"llm.token_count.prompt": 10, "llm.token_count.completion": 2}
        told.span("LLM.achat", {KIND: "LLM", wanted: tool, **counts}, under=ran, at=(start + 1, start + 5))
        step = told.span("AgentWorkflow.call_tool", {KIND: "CHAIN"}, under=root, at=(start + 7, start + 12))
        called = {KIND: "TOOL", "tool.name": tool, "input.value": more.pop("given", '{"kwargs": {"order": "A-1"}}')}
        told.span("FunctionTool.acall", called, under=step, at=(start + 8, start + 11), **more)

    turn("triage", "look_up", 1)
    turn("triage", "handoff", 20, given='{"kwargs": {"to_agent": "billing", "reason": "x"}}')
    turn("billing", "refund", 40, status=ERROR)
    told.span("FunctionTool.acall", {KIND: "TOOL", "tool.name": "refund"}, under=root, at=(70, 80))
    told.spans[-1].attributes["input.value"] = '{"kwargs": {"order": "A-1"}}'
    return told


def openai_agents_by_openllmetry() -> Told:
    """Handoffs whose target reads `unknown`, below a workflow with a constant name."""
    told = Told()
    root = told.span("Agent Workflow", {"traceloop.span.kind": "workflow"}, at=(0, 100))
    triage = told.agent("triage", under=root, at=(1, 40), also={"traceloop.span.kind": "agent"})
    told.chat(under=triage, at=(2, 9))
    told.tool("look_up", under=triage, at=(10, 15))
    told.chat(under=triage, at=(16, 20))
    gone = {"traceloop.span.kind": "handoff", OPERATION: "handoff", "gen_ai.handoff.from_agent": "triage"}
    told.span("triage → unknown.handoff", gone, under=triage, at=(38, 39))
    billing = told.agent("billing", under=root, at=(41, 99), also={"traceloop.span.kind": "agent"})
    told.chat(under=billing, at=(42, 50))
    told.tool("refund", under=billing, at=(51, 60), status=ERROR)
    told.tool("refund", under=billing, at=(61, 70))
    return told


def crewai_by_openllmetry() -> Told:
    """Crew, task and agent all call themselves an agent that was invoked."""
    told = Told()
    ran = {OPERATION: "invoke_agent", "gen_ai.provider.name": "crewai"}
    crew = told.span("crewai.workflow", ran, at=(0, 100))

    def task(agent: str, start: int) -> bytes:
        about = {**ran, "traceloop.span.kind": "task"}
        doing = told.span(f"do {agent}.task", about, under=crew, at=(start, start + 40))
        named = {**ran, "traceloop.span.kind": "agent", "gen_ai.agent.name": agent}
        return told.span(f"{agent}.agent", named, under=doing, at=(start + 1, start + 39))

    triage = task("triage", 1)
    told.chat(under=triage, at=(3, 9))
    told.tool("look_up", under=triage, at=(10, 15))
    told.chat(under=triage, at=(16, 20))
    billing = task("billing", 50)
    told.chat(under=billing, at=(53, 59))
    told.tool("refund", under=billing, at=(60, 65), status=ERROR)
    told.tool("refund", under=billing, at=(66, 70))
    return told


def haystack() -> Told:
    """Agents without names, as components and as tools; the model's tokens are not told."""
    told = Told()
    root = told.span("haystack.pipeline.run", {}, at=(0, 100))
    part = told.span("haystack.component.run", {"haystack.component.name": "triage"}, under=root, at=(1, 99))

    def tool(name: str, under: bytes, at: tuple[int, int], **more: Any) -> bytes:
        called = {"haystack.tool.name": name, "haystack.agent.step.tool.input": '{"order": "A-1"}'}
        return told.span("haystack.agent.step.tool", {**called, **more}, under=under, at=at)

    triage = told.span("haystack.agent.run", {}, under=part, at=(2, 98))
    told.span("haystack.agent.step.llm", {}, under=triage, at=(3, 9))
    tool("look_up", triage, (10, 15))
    call = tool("billing", triage, (20, 95))
    billing = told.span("haystack.agent.run", {}, under=call, at=(21, 94))
    told.span("haystack.agent.step.llm", {}, under=billing, at=(22, 29))
    tool("refund", billing, (30, 40), **{"haystack.tool.error": True})
    tool("refund", billing, (41, 50))
    return told


def two_services_by_a2a() -> Told:
    """The second agent runs in a program of its own, which speaks of itself as a server."""
    told = Told()
    triage = told.agent("triage", at=(0, 100))
    told.chat(under=triage, at=(1, 9))
    told.tool("look_up", under=triage, at=(10, 15))
    told.chat(under=triage, at=(16, 19))
    sends = {"a2a.method.name": "SendMessage", "server.address": "billing.example"}
    client = told.span("SendMessage", sends, under=triage, at=(20, 95), kind=3)
    post = told.span("POST /", {"http.request.method": "POST"}, under=client, at=(21, 94), kind=2, service="other")
    billing = told.agent("billing", under=post, at=(22, 93), service="other")
    told.chat(under=billing, at=(23, 29), service="other")
    told.tool("refund", under=billing, at=(30, 40), status=ERROR, service="other")
    told.tool("refund", under=billing, at=(41, 50), service="other")
    return told


SHAPES: list[tuple[Callable[[], Told], str]] = [
    (google_adk, "tool_name"),
    (strands, "agent_below_tool"),
    (strands_swarm, "sequence"),
    (microsoft_workflow, "sequence"),
    (semantic_kernel, "agent_below_tool"),
    (agno_team, "tool_name"),
    (llama_index, "tool_name"),
    (openai_agents_by_openllmetry, "explicit"),
    (crewai_by_openllmetry, "sequence"),
    (haystack, "agent_below_tool"),
    (two_services_by_a2a, "a2a"),
]


@pytest.mark.parametrize(("shape", "rule"), SHAPES, ids=lambda value: getattr(value, "__name__", value))
def test_the_same_desk_is_told_alike_by_every_framework(shape: Callable[[], Told], rule: str) -> None:
    story = shape().story()

    assert names(story) == ["triage", "billing"]
    assert transfers(story) == [("triage", "billing", rule)]
    assert [(tool.rpartition("-")[2], ok, attempt) for tool, _, ok, attempt in tools(story)] == EXPECTED_TOOLS
    assert [call.agent for call in story.tool_calls] == ["triage", "billing", "billing"]
    assert (story.status, story.retries, story.errors) == ("completed", 1, 1)
    assert (story.tokens_in, story.tokens_out) == ((0, 0) if shape is haystack else (30, 6))
