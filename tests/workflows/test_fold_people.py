"""Questions to people: told at both ends of a call, and by agents that stop without a word."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.telemetry.spans import Event
from tests.telemetry.told import Told, tools

CLIENT, SERVER = 3, 2


def called(told: Told, tool: str, under: bytes, at: tuple[int, int], **also: Any) -> None:
    """A tool of another program by MCP: the call, the message, and the other end."""
    said = {"mcp.method.name": "tools/call", "gen_ai.tool.name": tool, **also}
    outer = told.span(f"tools/call {tool}", said, under, at, kind=CLIENT)
    sent = {"mcp.method.name": "tools/call"}
    middle = told.span(f"MCP send tools/call {tool}", sent, outer, (at[0] + 1, at[1] - 1), kind=CLIENT)
    told.span(f"tools/call {tool}", said, middle, (at[0] + 2, at[1] - 2), kind=SERVER, service="shop")


def test_a_call_that_is_seen_at_both_ends_is_one_question_and_one_refusal() -> None:
    told = Told()
    agent = told.agent("refund", at=(0, 100))
    called(told, "issue_refund", agent, (10, 30), **{"gen_ai.tool.call.result": "DENIED: over limit (policy p-1)"})
    called(told, "escalate_to_human", agent, (40, 60))

    story = told.story()

    assert tools(story) == [("issue_refund", "shop", True, 1), ("escalate_to_human", "shop", True, 1)]
    assert [escalation.rule for escalation in story.escalations] == ["tool_name"]
    assert [hit.guardrail for hit in story.guardrail_hits] == ["p-1"]


def test_two_questions_of_an_agent_are_two() -> None:
    told = Told()
    agent = told.agent("refund", at=(0, 100))
    called(told, "ask_human", agent, (10, 30))
    called(told, "ask_human", agent, (40, 60))

    assert len(told.story().escalations) == 2


OI = "openinference.span.kind"
WANTED = "llm.output_messages.0.message.tool_calls.0.tool_call.function.name"
FIRST, SECOND = b"1" * 16, b"2" * 16


def asking(told: Told, tool: str, at: tuple[int, int], **more: Any) -> bytes:
    """An agent whose model asks for a tool; what comes of it is up to the test."""
    agent = told.span("refund.run", {OI: "AGENT", "agent.name": "refund"}, at=at, **more)
    told.span("Model", {OI: "LLM", WANTED: tool}, agent, (at[0] + 1, at[0] + 5), **more)
    return agent


def test_an_agent_that_ends_by_asking_for_a_tool_waits_for_somebody() -> None:
    told = Told()
    asking(told, "issue_refund", (0, 100))

    story = told.story()

    assert story.status == "waiting"
    assert [(e.agent, e.question, e.rule) for e in story.escalations] == [
        ("refund", "Approve issue_refund?", "approval")
    ]


def test_an_agent_whose_tool_was_called_waits_for_nobody() -> None:
    told = Told()
    told.span("issue_refund", {OI: "TOOL"}, asking(told, "issue_refund", (0, 100)), (10, 20))

    assert (told.story().status, told.story().escalations) == ("completed", [])


@pytest.mark.parametrize("output", ["final_result", "final_result_Refund", "final_answer"])
def test_an_agent_that_answers_by_a_tool_waits_for_nobody(output: str) -> None:
    told = Told()
    asking(told, output, (0, 100))

    assert (told.story().status, told.story().escalations) == ("completed", [])


def test_a_trace_that_goes_on_with_the_tool_asked_for_is_the_answer() -> None:
    told = Told()
    asking(told, "issue_refund", (0, 100), trace=FIRST)
    again = told.span("refund.continue_run", {OI: "AGENT", "agent.name": "refund"}, at=(500, 600), trace=SECOND)
    told.span("issue_refund", {OI: "TOOL"}, again, (510, 520), trace=SECOND)

    story = told.story()

    assert (story.status, [e.state for e in story.escalations]) == ("completed", ["answered"])


def test_an_agent_that_asked_for_another_one_before_its_trace_ended_asked_nobody() -> None:
    told = Told()
    asking(told, "transfer_to_refund", (0, 100), trace=FIRST)
    told.chat(told.agent("payments", at=(500, 600), trace=SECOND), (510, 520), trace=SECOND)

    assert (told.story().status, told.story().escalations) == ("completed", [])


@pytest.mark.parametrize(
    ("also", "events"),
    [
        ({}, [Event("gen_ai.choice", 0, {"finish_reason": "interrupt"})]),
        ({"gen_ai.response.finish_reasons": '["tool_calls"]'}, []),
        ({"gen_ai.output.messages": '[{"parts": [{"type": "function_approval_request", "id": "x"}]}]'}, []),
    ],
)
def test_an_agent_that_stopped_for_a_person_waits(also: dict[str, Any], events: list[Event]) -> None:
    told = Told()
    told.chat(told.agent("refund", at=(0, 100), also=also, events=events), (10, 20))

    story = told.story()

    assert (story.status, [e.rule for e in story.escalations]) == ("waiting", ["approval"])


def test_an_agent_that_handed_its_work_over_waits_for_nobody() -> None:
    told = Told()
    desk = told.span("desk", {"gen_ai.operation.name": "invoke_workflow"}, at=(0, 200))
    stopped = {"gen_ai.response.finish_reasons": ["tool_calls"]}
    told.chat(told.agent("triage", desk, (1, 50), also=stopped), (10, 20))
    told.chat(told.agent("refund", desk, (60, 100)), (70, 80))

    assert (told.story().status, told.story().escalations) == ("completed", [])


def test_a_question_is_answered_once_the_run_goes_on_in_a_later_trace() -> None:
    told = Told()
    told.tool("escalate_to_human", told.agent("refund", at=(0, 100), trace=FIRST), (10, 20), trace=FIRST)
    told.chat(told.agent("refund", at=(500, 600), trace=SECOND), (510, 520), trace=SECOND)

    story = told.story()

    assert (story.status, [e.state for e in story.escalations]) == ("completed", ["answered"])


def test_a_trace_that_had_begun_before_the_question_is_no_answer() -> None:
    told = Told()
    told.tool("escalate_to_human", told.agent("refund", at=(0, 100)), (50, 60))
    told.chat(told.agent("payments", at=(30, 90), trace=SECOND), (70, 80), trace=SECOND)

    assert [e.state for e in told.story().escalations] == ["open"]


def test_an_agent_that_acts_after_its_question_has_its_answer() -> None:
    acted, spoke, asked_twice = Told(), Told(), Told()
    for told in (acted, spoke, asked_twice):
        told.tool("ask_human", told.agent("refund", at=(0, 100)), (10, 60))
    acted.tool("issue_refund", acted.spans[0].span_id, (70, 80))
    spoke.chat(spoke.spans[0].span_id, (70, 80))
    asked_twice.tool("ask_human", asked_twice.spans[0].span_id, (70, 80))

    states = [[e.state for e in told.story().escalations] for told in (acted, spoke, asked_twice)]

    assert states == [["answered"], ["open"], ["open", "open"]]
