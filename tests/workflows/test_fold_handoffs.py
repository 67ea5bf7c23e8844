"""Who handed work to whom, by each rule, and that several rules tell one transfer once."""

from __future__ import annotations

import pytest

from orchestration.telemetry.spans import Kind
from tests.telemetry.told import ERROR, Told, tools, transfers

WORKFLOW = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "desk"}


def test_an_agent_below_a_tool_was_called_by_the_agent_above_it() -> None:
    told = Told()
    caller = told.agent("triage", at=(0, 100))
    called = told.agent("billing", under=told.tool("ask_somebody", under=caller, at=(10, 90)), at=(11, 89))
    told.tool("get_invoice", under=called, at=(20, 30))

    story = told.story()

    assert transfers(story) == [("triage", "billing", "agent_below_tool")]
    assert tools(story) == [("get_invoice", "get_invoice", True, 1)]
    assert story.placed[1].kind == Kind.HANDOFF


def test_each_agent_below_a_tool_was_called_by_it() -> None:
    told = Told()
    call = told.tool("research", under=told.agent("lead", at=(0, 100)), at=(10, 90))
    told.agent("web", under=call, at=(11, 40))
    told.agent("papers", under=call, at=(12, 80))

    assert transfers(told.story()) == [("lead", "web", "agent_below_tool"), ("lead", "papers", "agent_below_tool")]


def test_two_calls_of_one_agent_are_two_handoffs() -> None:
    told = Told()
    lead = told.agent("lead", at=(0, 100))
    for start in (10, 50):
        told.agent("web", under=told.tool("search", under=lead, at=(start, start + 20)), at=(start + 1, start + 19))

    assert transfers(told.story()) == [("lead", "web", "agent_below_tool")] * 2


def test_an_agent_that_calls_itself_as_a_tool_hands_over_to_nobody() -> None:
    told = Told()
    lead = told.agent("lead", at=(0, 100))
    told.chat(under=told.agent("lead", under=told.tool("again", under=lead, at=(10, 90)), at=(11, 89)), at=(12, 20))

    story = told.story()

    assert (transfers(story), story.tool_calls) == ([], [])


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("transfer_to_billing", None),
        ("transfer_to_billing_agent", None),
        ("Handoffs-transfer_to_billing", None),
        ("transfer_to_agent", {"agent_name": "billing"}),
        ("handoff", {"whoever": "Billing"}),
        ("Delegate work to coworker", {"coworker": "billing", "task": "check"}),
        ("transfer_to_next", None),
    ],
)
def test_a_transfer_tool_names_its_target_or_leaves_it_to_the_next_turn(
    tool: str, arguments: dict[str, str] | None
) -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    also = {"gen_ai.tool.call.arguments": arguments} if arguments else {}
    told.tool(tool, under=told.agent("triage", under=root, at=(1, 30)), at=(20, 25), also=also)
    told.chat(under=told.agent("billing", under=root, at=(31, 60)), at=(32, 50))

    story = told.story()

    assert (transfers(story), story.tool_calls) == ([("triage", "billing", "tool_name")], [])


def test_a_transfer_to_an_agent_that_never_came_keeps_the_tools_word_for_it() -> None:
    told = Told()
    told.tool("transfer_to_billing", under=told.agent("triage", at=(1, 30)), at=(20, 25))

    assert transfers(told.story()) == [("triage", "billing", "tool_name")]


def test_a_transfer_to_a_person_is_an_escalation_and_a_call() -> None:
    told = Told()
    told.tool("transfer_to_human_agents", under=told.agent("triage", at=(1, 30)), at=(20, 25))

    story = told.story()

    assert (transfers(story), len(story.tool_calls), len(story.escalations)) == ([], 1, 1)


def test_a_tool_that_is_given_the_name_of_whoever_comes_next_is_a_transfer() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    triage = told.agent("triage", under=root, at=(1, 30))
    told.tool("set_department", under=triage, at=(5, 9), also={"gen_ai.tool.call.arguments": '{"d": "billing"}'})
    told.tool("look_up", under=triage, at=(2, 4), also={"gen_ai.tool.call.arguments": '{"who": "triage"}'})
    told.chat(under=told.agent("billing", under=root, at=(31, 60)), at=(32, 50))

    story = told.story()

    assert transfers(story) == [("triage", "billing", "argument")]
    assert [call.tool for call in story.tool_calls] == ["look_up"]


def test_a_tool_that_is_given_a_known_name_but_leads_nowhere_is_a_call() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    triage = told.agent("triage", under=root, at=(1, 30))
    told.tool("count_tickets", under=triage, at=(5, 9), also={"gen_ai.tool.call.arguments": '{"d": "billing"}'})
    told.chat(under=triage, at=(10, 20))
    told.agent("billing", under=root, at=(31, 60))

    assert [call.tool for call in told.story().tool_calls] == ["count_tickets"]


def test_a_span_that_says_handoff_is_one() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    triage = told.agent("triage", under=root, at=(1, 30))
    told.span(
        "handoff", {"gen_ai.operation.name": "handoff", "gen_ai.handoff.to_agent": "billing"}, under=triage, at=(28, 29)
    )
    told.chat(under=told.agent("billing", under=root, at=(31, 60)), at=(32, 50))

    assert transfers(told.story()) == [("triage", "billing", "explicit")]


def test_an_unknown_target_is_whoever_comes_next() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    triage = told.agent("triage", under=root, at=(1, 30))
    told.span("a → unknown.handoff", {"gen_ai.operation.name": "handoff"}, under=triage, at=(28, 29))
    told.agent("billing", under=root, at=(31, 60))

    assert transfers(told.story()) == [("triage", "billing", "explicit")]


def test_going_to_a_node_that_is_no_agent_is_no_handoff() -> None:
    told = Told()
    triage = told.agent("triage", at=(1, 30))
    goto = {"gen_ai.operation.name": "goto", "langgraph.command.goto_node": "tools"}
    told.span("goto tools", goto, under=triage, at=(28, 29))

    assert transfers(told.story()) == []


def test_agents_one_after_the_other_below_a_process_pass_work_on() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    for name, start in (("research", 1), ("write", 30), ("check", 60)):
        told.chat(under=told.agent(name, under=root, at=(start, start + 20)), at=(start + 1, start + 10))

    assert transfers(told.story()) == [("research", "write", "sequence"), ("write", "check", "sequence")]


def test_a_run_that_goes_on_in_another_trace_was_not_handed_over() -> None:
    told = Told()
    for at, name, trace in ((0, "billing", b"1" * 16), (100, "refund", b"2" * 16)):
        root = told.span("desk", WORKFLOW, at=(at, at + 50), trace=trace)
        told.chat(told.agent(name, root, (at + 1, at + 40), trace=trace), (at + 2, at + 9), trace=trace)

    assert transfers(told.story()) == []


def test_agents_side_by_side_pass_nothing_to_each_other() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    for name, at in (("plan", (1, 9)), ("web", (10, 50)), ("papers", (11, 60)), ("write", (70, 90))):
        told.chat(under=told.agent(name, under=root, at=at), at=(at[0] + 1, at[0] + 5))

    assert transfers(told.story()) == [
        ("plan", "web", "sequence"),
        ("plan", "papers", "sequence"),
        ("papers", "write", "sequence"),
    ]


def test_an_agent_inside_another_ones_turn_was_called_by_it() -> None:
    told = Told()
    manager = told.agent("manager", at=(0, 100))
    told.chat(under=manager, at=(1, 5))
    told.chat(
        under=told.agent("billing", under=told.span("Step", {}, under=manager, at=(6, 90)), at=(7, 80)), at=(8, 9)
    )

    assert transfers(told.story()) == [("manager", "billing", "agent_below_agent")]


def test_a_transfer_that_several_rules_tell_is_kept_once_by_the_strongest() -> None:
    told = Told()
    kind = "openinference.span.kind"
    root = told.span("desk", WORKFLOW, at=(0, 100))
    triage = told.span("triage", {kind: "AGENT", "agent.name": "triage"}, under=root, at=(1, 30))
    told.span("handoff to billing", {kind: "TOOL", "output.value": "billing"}, under=triage, at=(20, 21))
    told.tool("transfer_to_billing", under=triage, at=(19, 22))
    node = {kind: "AGENT", "agent.name": "billing", "graph.node.parent_id": "triage"}
    told.chat(under=told.span("billing", node, under=root, at=(31, 60)), at=(32, 50))

    assert transfers(told.story()) == [("triage", "billing", "explicit")]


def test_an_agent_that_the_producer_places_below_another_was_called_by_it() -> None:
    told = Told()
    kind = "openinference.span.kind"
    root = told.span("desk", WORKFLOW, at=(0, 100))
    told.span("a.run", {kind: "AGENT", "agent.name": "lead", "graph.node.id": "n-1"}, under=root, at=(1, 90))
    told.span("b.run", {kind: "AGENT", "agent.name": "web", "graph.node.parent_id": "n-1"}, under=root, at=(5, 60))

    assert transfers(told.story()) == [("lead", "web", "graph_parent")]


def test_a_call_by_a2a_hands_over_to_the_agent_that_serves_it() -> None:
    told = Told()
    sends = {"a2a.method.name": "SendMessage"}
    client = told.span("send", {**sends, "server.address": "refunds.example"}, under=told.agent("triage"), kind=3)
    told.span("serve", sends, under=client, kind=2, service="refunds")

    alone = Told()
    alone.span("send", {**sends, "server.address": "refunds.example"}, under=alone.agent("triage"), kind=3)

    assert transfers(told.story()) == [("triage", "refunds", "a2a")]
    assert transfers(alone.story()) == [("triage", "refunds.example", "a2a")]


def test_agents_that_only_name_themselves_on_their_steps_still_take_turns() -> None:
    told = Told()
    root = told.span("desk", WORKFLOW, at=(0, 100))
    for start, agent in ((1, "triage"), (10, "triage"), (20, "billing"), (30, "refund")):
        told.chat(under=root, at=(start, start + 5), also={"gen_ai.agent.name": agent})

    assert transfers(told.story()) == [("triage", "billing", "sequence"), ("billing", "refund", "sequence")]


def test_a_process_inside_a_tool_is_entered_once() -> None:
    told = Told()
    call = told.tool("run_crew", under=told.agent("lead", at=(0, 100)), at=(1, 90))
    crew = told.span("crew", WORKFLOW, under=call, at=(2, 80))
    told.chat(under=told.agent("web", under=crew, at=(3, 30)), at=(4, 9))
    told.chat(under=told.agent("write", under=crew, at=(31, 60)), at=(32, 40))

    assert transfers(told.story()) == [("lead", "web", "agent_below_tool"), ("web", "write", "sequence")]


def test_work_that_returns_to_who_had_handed_it_out_is_no_handoff() -> None:
    told = Told()
    desk = told.span("desk", WORKFLOW, at=(0, 200))
    for number, to in enumerate(("billing", "refund")):
        start = number * 60
        lead = told.agent("lead", under=desk, at=(start, start + 20))
        told.tool(f"transfer_to_{to}", under=lead, at=(start + 15, start + 16))
        told.chat(told.agent(to, under=desk, at=(start + 25, start + 50)), at=(start + 30, start + 40))
    told.chat(told.agent("lead", under=desk, at=(120, 140)), at=(125, 130))

    assert transfers(told.story()) == [("lead", "billing", "tool_name"), ("lead", "refund", "tool_name")]


def test_work_that_goes_back_and_forth_by_itself_is_handed_over_each_time() -> None:
    told = Told()
    desk = told.span("desk", WORKFLOW, at=(0, 200))
    for number, name in enumerate(("writer", "critic", "writer")):
        told.chat(
            told.agent(name, under=desk, at=(number * 30, number * 30 + 20)), at=(number * 30 + 1, number * 30 + 9)
        )

    assert transfers(told.story()) == [("writer", "critic", "sequence"), ("critic", "writer", "sequence")]


def test_a_call_of_an_agent_whose_spans_were_lost_is_no_call_of_a_system() -> None:
    told = Told()
    lead = told.agent("lead", at=(0, 100))
    told.tool("agent-billing", under=lead, at=(10, 50), status=ERROR, message="the agent failed")

    story = told.story()

    assert (tools(story), transfers(story)) == ([], [("lead", "billing", "tool_name")])
