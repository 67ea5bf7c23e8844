"""Escalations and refusals that are told at both ends of a call."""

from __future__ import annotations

from typing import Any

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
