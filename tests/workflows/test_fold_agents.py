"""Whose each step is where nobody names agents: nodes of a graph, and graphs."""

from __future__ import annotations

import json

import pytest

from tests.telemetry.told import Told, names, transfers

OI = "openinference.span.kind"
PREFIX = "traceloop.association.properties."


def chain(told: Told, name: str, under: bytes, at: tuple[int, int], node: str = "") -> bytes:
    """A step as OpenInference tells of LangGraph, in the node `node`."""
    metadata = {"metadata": json.dumps({"langgraph_node": node})} if node else {}
    kind = "AGENT" if "agent" in name else "CHAIN"
    return told.span(name, {OI: kind, **metadata}, under, at)


def model(told: Told, under: bytes, at: tuple[int, int]) -> bytes:
    return told.span("ChatModel", {OI: "LLM", "llm.token_count.prompt": 10}, under, at)


def test_nodes_in_which_a_model_is_called_are_agents() -> None:
    told = Told()
    graph = chain(told, "desk", b"", (0, 100))
    for number, name in enumerate(("triage", "billing", "audit")):
        node = chain(told, name, graph, (number * 30, number * 30 + 20), node=name)
        if name != "audit":
            model(told, node, (number * 30 + 5, number * 30 + 10))

    story = told.story()

    assert (names(story), story.workflow) == (["triage", "billing"], "desk")
    assert transfers(story) == [("triage", "billing", "sequence")]
    assert story.agent_tokens == {("desk", "triage"): (10, 0), ("desk", "billing"): (10, 0)}


@pytest.mark.parametrize("node", ["agent", "call_model", "chatbot"])
def test_a_graph_whose_node_says_nothing_is_the_agent_itself(node: str) -> None:
    told = Told()
    graph = chain(told, "billing", b"", (0, 100))
    model(told, chain(told, node, graph, (10, 20), node=node), (11, 19))
    tool = chain(told, "tools", graph, (30, 40), node="tools")
    told.span("get_invoice", {OI: "TOOL"}, tool, (31, 39))
    model(told, chain(told, node, graph, (50, 60), node=node), (51, 59))

    story = told.story()

    assert names(story) == ["billing"]
    assert [call.agent for call in story.tool_calls] == ["billing"]


def test_a_graph_inside_a_node_is_one_agent_with_it() -> None:
    told = Told()
    whole = chain(told, "desk", b"", (0, 100))
    node = chain(told, "triage", whole, (1, 50), node="triage")
    graph = chain(told, "triage", node, (2, 49), node="triage")
    model(told, chain(told, "agent", graph, (10, 20), node="agent"), (11, 19))
    other = chain(told, "refunds", whole, (60, 90), node="refunds")
    model(
        told,
        chain(told, "agent", chain(told, "LangGraph", other, (61, 89), node="refunds"), (62, 80), "agent"),
        (63, 70),
    )

    story = told.story()

    assert names(story) == ["triage", "refunds"]
    assert transfers(story) == [("triage", "refunds", "sequence")]


def test_a_graph_that_calls_itself_an_agent_is_the_process_of_its_nodes() -> None:
    told = Told()
    root = told.agent("desk", at=(0, 100))
    for number, name in enumerate(("triage", "billing")):
        told_of = {PREFIX + "langgraph_node": name, "traceloop.entity.name": name, "traceloop.span.kind": "task"}
        at = (number * 40 + 1, number * 40 + 30)
        node = told.span(f"execute_task {name}", {"gen_ai.operation.name": "execute_task", **told_of}, root, at)
        told.chat(node, (at[0] + 1, at[1] - 1))

    story = told.story()

    assert names(story) == ["triage", "billing"]
    assert transfers(story) == [("triage", "billing", "sequence")]


def test_nodes_of_a_named_agent_stay_its_own() -> None:
    told = Told()
    agent = told.agent("billing", at=(0, 100))
    for node in ("plan", "answer"):
        said = {PREFIX + "langgraph_node": node, "traceloop.entity.name": node, PREFIX + "lc_agent_name": "billing"}
        step = told.span(node, {"traceloop.span.kind": "task", **said}, agent)
        told.chat(step, also={PREFIX + "lc_agent_name": "billing"})

    assert names(told.story()) == ["billing"]


def test_an_agent_without_a_name_is_known_by_what_its_caller_asked_for() -> None:
    told = Told()
    wanted = "llm.output_messages.0.message.tool_calls.0.tool_call.function.name"
    root = told.span("Agent.run", {OI: "CHAIN"}, at=(0, 100))
    told.span("Generator.run", {OI: "LLM", wanted: "billing"}, root, (5, 10))
    inner = told.span("Agent.run", {OI: "CHAIN"}, root, (20, 60))
    model(told, inner, (25, 30))
    model(told, root, (70, 80))

    story = told.story()

    assert (story.workflow, names(story)) == ("desk", ["desk", "billing"])
    assert transfers(story) == [("desk", "billing", "agent_below_agent")]
