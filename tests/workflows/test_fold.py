"""A run from its spans: the tree, agents, tokens, names."""

from __future__ import annotations

import pytest

from orchestration.telemetry.spans import Kind
from orchestration.workflows.fold import fold
from orchestration.workflows.story import Rules
from tests.telemetry.told import Told, names, tools

PLAIN = {"http.request.method": "GET"}
MISSING = b"missing!"


def used(given: int, made: int) -> dict[str, int]:
    return {"gen_ai.usage.input_tokens": given, "gen_ai.usage.output_tokens": made}


def test_nothing_is_a_run_that_goes_on() -> None:
    story = fold([])

    assert (story.status, story.placed, story.agents) == ("running", [], [])


def test_parents_stand_before_children_where_both_began_at_once() -> None:
    told = Told()
    told.chat(under=(2).to_bytes(8, "big"), at=(0, 5))
    told.agent("billing", at=(0, 9))

    story = told.story()

    assert [placed.step.kind for placed in story.placed] == [Kind.AGENT, Kind.LLM]
    assert [placed.depth for placed in story.placed] == [0, 1]


def test_a_child_that_began_before_its_parent_keeps_its_place_and_its_agent() -> None:
    told = Told()
    root = told.agent("billing", at=(10, 90))
    told.tool("get_invoice", under=root, at=(7, 20))

    story = told.story()

    assert [(placed.step.subject, placed.depth, placed.agent) for placed in story.placed] == [
        ("get_invoice", 1, "billing"),
        ("", 0, "billing"),
    ]


def test_a_step_whose_parent_never_came_is_an_orphan() -> None:
    told = Told()
    told.chat(under=MISSING)

    story = told.story()

    assert (story.orphans, story.placed[0].orphan, story.placed[0].parent) == (1, True, b"")
    assert (story.status, story.root_came) == ("running", False)


def test_parents_that_bite_their_own_tail_do_no_harm() -> None:
    told = Told()
    told.span("a", PLAIN, under=(3).to_bytes(8, "big"))
    told.span("b", PLAIN, under=(1).to_bytes(8, "big"))
    told.span("c", PLAIN, under=(2).to_bytes(8, "big"))
    told.span("self", PLAIN, under=(4).to_bytes(8, "big"))

    story = told.story()

    assert [(placed.step.name, placed.depth) for placed in story.placed] == [("a", 0), ("b", 1), ("c", 2), ("self", 0)]


def test_a_step_without_a_name_belongs_to_the_nearest_agent_above() -> None:
    told = Told()
    outer = told.agent("triage", at=(0, 100))
    inner = told.agent("billing", under=told.tool("ask", under=outer, at=(10, 90)), at=(20, 80))
    service = told.span(
        "GET", PLAIN, under=told.tool("get_invoice", under=inner, at=(30, 40)), at=(31, 39), service="crm"
    )

    placed = {p.step.span_id: p for p in told.story().placed}

    assert (placed[service].application, placed[service].agent) == ("desk", "billing")


def test_registering_an_agent_is_no_step() -> None:
    told = Told()
    root = told.span("desk", {"gen_ai.operation.name": "invoke_workflow"}, at=(0, 50))
    made = told.span("create", {"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "x"}, under=root)
    told.chat(under=made)

    story = told.story()

    assert [placed.kind for placed in story.placed] == [Kind.WORKFLOW, Kind.LLM]
    assert (story.agents, story.orphans, story.placed[1].depth) == ([], 0, 1)


def test_an_agent_that_only_has_agents_below_it_is_the_process() -> None:
    told = Told()
    root = told.agent("refund-desk", at=(0, 100))
    told.chat(under=told.agent("triage", under=root, at=(1, 40)), at=(2, 30))
    told.chat(under=told.agent("billing", under=root, at=(50, 90)), at=(51, 80))

    story = told.story()

    assert (story.workflow, names(story)) == ("refund-desk", ["triage", "billing"])
    assert story.placed[0].kind == Kind.WORKFLOW


def test_an_agent_that_also_works_itself_is_an_agent() -> None:
    told = Told()
    root = told.agent("triage", at=(0, 100))
    told.chat(under=root, at=(1, 5))
    told.chat(under=told.agent("billing", under=root, at=(10, 90)), at=(11, 80))

    assert names(told.story()) == ["triage", "billing"]


def test_an_agent_directly_inside_itself_is_one_turn() -> None:
    told = Told()
    root = told.agent("billing", at=(0, 100))
    inner = told.agent("Billing", under=told.span("step", PLAIN, under=root, at=(1, 99)), at=(2, 98))
    told.tool("t", under=inner, at=(3, 9), status=2)
    told.tool("t", under=inner, at=(10, 19))

    story = told.story()

    assert (names(story), story.handoffs) == (["billing"], [])
    assert tools(story) == [("t", "t", False, 1), ("t", "t", True, 2)]


def test_an_agent_without_a_name_is_known_by_the_tool_it_stands_in_else_by_its_program() -> None:
    told = Told()
    nameless = {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m-1"}
    outer = told.span("invoke_agent m-1", nameless, at=(0, 100))
    told.chat(under=outer, at=(1, 5))
    inner = told.span("invoke_agent m-1", nameless, under=told.tool("billing", under=outer, at=(10, 90)), at=(11, 89))
    told.chat(under=inner, at=(12, 20))

    story = told.story()

    assert names(story) == ["desk", "billing"]
    assert [(handoff.from_agent, handoff.to_agent) for handoff in story.handoffs] == [("desk", "billing")]


def test_people_are_never_agents() -> None:
    told = Told()
    root = told.agent("airline_agent", at=(0, 100))
    said = {"gen_ai.operation.name": "user_message", "gen_ai.agent.name": "user"}
    told.span("user_message", said, under=root, at=(1, 30))
    told.chat(under=root, at=(31, 40))

    story = told.story()

    assert (names(story), story.handoffs, story.escalations) == (["airline_agent"], [], [])
    assert (story.placed[1].kind, story.people_ns) == (Kind.HUMAN, 29_000_000)


def test_one_agent_has_one_spelling() -> None:
    told = Told()
    told.chat(at=(0, 5), also={"gen_ai.agent.name": "customer_service"})
    root = told.agent("customer-service", at=(10, 50))
    told.chat(under=root, at=(11, 20), also={"gen_ai.agent.name": "Customer_Service"})

    assert names(told.story()) == ["customer-service"]


def test_equal_names_in_two_applications_are_two_agents() -> None:
    told = Told()
    root = told.span("desk", {"gen_ai.operation.name": "invoke_workflow"}, at=(0, 100))
    told.chat(under=told.agent("billing", under=root, at=(1, 20)), at=(2, 9))
    told.chat(under=told.agent("billing", under=root, at=(30, 50), service="other"), at=(31, 40), service="other")

    assert told.story().agents == [("desk", "billing"), ("other", "billing")]


def test_a_node_and_the_graph_inside_it_share_the_agents_name() -> None:
    told = Told()
    chain = {"openinference.span.kind": "CHAIN", "metadata": '{"langgraph_node": "billing"}'}
    root = told.span("desk", {"openinference.span.kind": "CHAIN"}, at=(0, 100))
    node = told.span("billing", chain, under=root, at=(1, 90))
    told.chat(under=told.span("billing", chain, under=node, at=(2, 80)), at=(3, 70))

    assert names(told.story()) == ["billing"]


def test_tokens_are_summed_over_model_calls_only() -> None:
    told = Told()
    root = told.agent("billing", at=(0, 100), also=used(20, 4))
    told.chat(under=root, at=(1, 5))
    told.chat(under=root, at=(6, 9))

    story = told.story()

    assert (story.tokens_in, story.tokens_out) == (20, 4)
    assert story.agent_tokens == {("desk", "billing"): (20, 4)}


def test_a_call_that_two_libraries_tell_is_counted_once() -> None:
    told = Told()
    root = told.agent("billing", at=(0, 100))
    outer = told.chat(under=root, at=(1, 50))
    told.chat(under=told.span("POST", PLAIN, under=outer, at=(2, 49)), at=(3, 48), scope="openai")

    story = told.story()

    assert (story.tokens_in, [placed.repeats for placed in story.placed]) == (10, [False, True, False, False])


def test_without_model_calls_the_top_most_sums_count_once() -> None:
    told = Told()
    root = told.agent("triage", at=(0, 100), also={"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 6})
    below = told.tool("ask", under=root, at=(1, 90))
    told.agent(
        "billing", under=below, at=(2, 80), also={"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 4}
    )

    assert (told.story().tokens_in, told.story().tokens_out) == (30, 6)


def test_sums_that_leave_out_the_agents_below_are_added() -> None:
    told = Told()
    root = told.agent("triage", at=(0, 100), also={"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 6})
    below = told.tool("ask", under=root, at=(1, 90))
    told.agent(
        "billing", under=below, at=(2, 80), also={"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 4}
    )

    assert (told.story().tokens_in, told.story().tokens_out) == (30, 10)


def test_a_tool_touches_the_system_in_the_table_else_what_lies_below_else_itself() -> None:
    told = Told()
    root = told.agent("billing", at=(0, 100))
    for number, name in enumerate(("Shop-get_invoice", "lookup", "note")):
        call = told.tool(name, under=root, at=(number * 20 + 1, number * 20 + 19))
        if name != "note":
            told.span(
                "GET", {"server.address": "crm.example"}, under=call, kind=3, at=(number * 20 + 2, number * 20 + 9)
            )

    story = told.story(Rules(systems={"get_invoice": "billing-db"}))

    assert [call.system for call in story.tool_calls] == ["billing-db", "crm.example", "note"]


def test_a_call_through_mcp_is_one_call() -> None:
    told = Told()
    call = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "get_weather"}
    outer = told.tool("get_weather", under=told.agent("guide", at=(0, 100)), at=(1, 90))
    client = told.span("tools/call", {**call, "server.address": "weather.example"}, under=outer, kind=3, at=(2, 80))
    told.span("tools/call", {**call, "error.type": "tool_error"}, under=client, kind=2, at=(3, 70), service="weather")

    assert tools(told.story()) == [("get_weather", "weather.example", False, 1)]


def test_answering_is_no_tool_call() -> None:
    told = Told()
    root = told.agent("billing", at=(0, 100))
    told.tool("final_answer", under=root)
    told.tool("(merged tools)", under=root)

    assert told.story().tool_calls == []


@pytest.mark.parametrize(
    ("attributes", "name", "workflow"),
    [
        ({"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "loan"}, "invoke_workflow", "loan"),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "triage"}, "invoke_agent triage", "triage"),
        ({"http.request.method": "POST"}, "POST /chat", "POST /chat"),
        ({"messaging.operation": "create", "messaging.destination": "x"}, "autogen create X_1", "desk"),
    ],
)
def test_the_process_is_named_by_the_best_that_its_root_says(
    attributes: dict[str, str], name: str, workflow: str
) -> None:
    told = Told()
    told.span(name, attributes)

    assert told.story().workflow == workflow


def test_the_conversation_is_that_of_the_root() -> None:
    told = Told()
    root = told.agent("triage", at=(5, 50), also={"gen_ai.conversation.id": "given"})
    told.agent("billing", under=root, at=(6, 40), also={"gen_ai.conversation.id": "made up"})

    assert told.story().conversation == "given"
