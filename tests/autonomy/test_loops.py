"""Calls that go in circles, told from those that only look so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.autonomy.loops import Loop, loops
from tests.telemetry.told import Told, thrown

ASKS = '{"id": 7}'


def calling(*tools: str, arguments: str = ASKS, apart_ms: int = 500, failing: bool = False) -> list[Loop]:
    """An agent that calls these tools one after the other with the same arguments."""
    told = Told()
    root = told.agent("bot", at=(0, 100_000))
    for place, tool in enumerate(tools):
        more = {"status": 2, "events": thrown("Timeout")} if failing else {}
        at = (1000 + place * apart_ms, 1000 + place * apart_ms + 5)
        told.tool(tool, root, at, also={"gen_ai.tool.call.arguments": arguments}, **more)
    return loops(told.story())


def test_the_fourth_equal_call_is_a_loop() -> None:
    assert calling(*["crm.get"] * 3) == []

    (found,) = calling(*["crm.get"] * 4)

    assert (found.agent, found.tool, found.calls, found.failing) == ("bot", "crm.get", 4, False)


def test_a_round_of_several_calls_is_a_loop_of_each() -> None:
    found = calling(*["crm.get", "kb.search"] * 4)

    assert {each.tool for each in found} == {"crm.get", "kb.search"}


def test_looking_again_after_something_changed_is_none() -> None:
    assert calling("crm.get", "crm.get", "crm.update", "crm.get", "crm.get") == []


def test_changing_the_same_thing_again_and_again_is_one_and_hides_none() -> None:
    found = calling(*["crm.get", "crm.update"] * 5)

    assert [each.tool for each in found] == ["crm.update", "crm.get"]


def test_another_try_after_a_failure_is_none_until_there_are_eight() -> None:
    assert calling(*["pay"] * 7, failing=True) == []

    (found,) = calling(*["pay"] * 8, failing=True)
    assert found.failing


@pytest.mark.parametrize("tool", ["get_status", "jobs.poll", "waitForReply", "check_progress"])
def test_a_tool_that_is_there_to_be_polled_may_be_asked_often_with_pauses(tool: str) -> None:
    assert calling(*[tool] * 40, apart_ms=2000) == []
    assert len(calling(*[tool] * 60, apart_ms=2000)) == 1


def test_any_tool_may_be_asked_again_after_a_rest() -> None:
    assert calling(*["trace_payment"] * 7, apart_ms=45_000) == []


def test_a_slow_model_is_no_rest() -> None:
    told = Told()
    root = told.agent("bot", at=(0, 400_000))
    for place in range(4):
        began = place * 30_000
        told.tool("crm.get", root, (began, began + 100), also={"gen_ai.tool.call.arguments": ASKS})
        told.chat(root, (began + 200, began + 29_000))

    assert len(loops(told.story())) == 1


def test_even_that_is_a_loop_without_pauses() -> None:
    assert len(calling(*["get_status"] * 5, apart_ms=100)) == 1


def test_calls_whose_arguments_were_not_sent_are_not_compared() -> None:
    told = Told()
    root = told.agent("bot", at=(0, 100_000))
    for _ in range(9):
        told.tool("crm.get", root)

    assert loops(told.story()) == []


def test_two_agents_that_make_the_same_call_are_no_loop() -> None:
    told = Told()
    for name in ("one", "two"):
        root = told.agent(name)
        for _ in range(2):
            told.tool("crm.get", root, also={"gen_ai.tool.call.arguments": ASKS})

    assert loops(told.story()) == []


@given(st.lists(st.sampled_from(["crm.get", "kb.search", "pay"]), max_size=12), st.integers(3, 6))
def test_no_call_that_was_made_less_often_is_ever_a_loop(tools: list[str], least: int) -> None:
    told = Told()
    root = told.agent("bot", at=(0, 100_000))
    for tool in tools:
        told.tool(tool, root, also={"gen_ai.tool.call.arguments": ASKS})

    found = loops(told.story(), least)

    assert all(tools.count(loop.tool) >= least for loop in found)
    assert all(loop.calls >= least for loop in found)
