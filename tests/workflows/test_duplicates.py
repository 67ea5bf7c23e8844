"""Work that was done twice."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.duplicates import Duplicate, duplicates, looks
from orchestration.workflows.fold import fold
from orchestration.workflows.story import Step


def called(agent: str, tool: str, at: int, call: str | None = "h1", system: str = "crm", **changed: Any) -> list[Step]:
    """An agent's turn in which it makes one call, `at` a second of the run."""
    turn_id, call_id = bytes([at]) * 8, bytes([at + 100]) * 8
    second = 1_000_000_000
    rest: dict[str, Any] = {
        "workflow": "",
        "tokens_in": 0,
        "tokens_out": 0,
        "cost": None,
        "error": "",
        "conversation": "",
    }
    turn = Step(
        b"t" * 16, turn_id, b"", at * second, (at + 1) * second, agent, Kind.AGENT, Outcome.OK, "desk", agent, "", "",
        hints={}, **rest,
    )  # fmt: skip
    outcome = changed.get("outcome", Outcome.OK)
    inner = Step(
        b"t" * 16, call_id, turn_id, at * second, at * second + second // 2, tool, Kind.TOOL, outcome, "desk", agent,
        system, tool, hints={"call": call} if call else {}, **rest,
    )  # fmt: skip
    return [turn, inner]


def found(*turns: list[Step]) -> list[Duplicate]:
    return duplicates(fold([step for turn in turns for step in turn]))


def test_a_call_that_another_agent_has_made_is_done_twice() -> None:
    (twice,) = found(called("triage", "crm.get_customer", 1), called("billing", "get_customer", 5))

    assert (twice.first_agent[1], twice.again_agent[1], twice.lost_ns) == ("triage", "billing", 500_000_000)
    assert (twice.first, twice.again) == (bytes([101]) * 8, bytes([105]) * 8)


@pytest.mark.parametrize(
    "second",
    [
        called("triage", "get_customer", 5),  # the same agent, that knows what it does
        called("billing", "get_customer", 5, call="h2"),
        called("billing", "get_invoice", 5),
        called("billing", "get_customer", 5, call=None),
        called("billing", "get_customer", 5, outcome=Outcome.ERROR),
    ],
)
def test_another_call_is_none_done_twice(second: list[Step]) -> None:
    assert found(called("triage", "get_customer", 1), second) == []


def test_a_look_after_a_change_is_no_repetition() -> None:
    change = called("billing", "update_customer", 3, call="h9")

    assert found(called("triage", "get_customer", 1), change, called("billing", "get_customer", 5)) == []


def test_a_change_of_another_system_leaves_it_one() -> None:
    other = called("billing", "send_mail", 3, call="h9", system="mail")

    assert len(found(called("triage", "get_customer", 1), other, called("billing", "get_customer", 5))) == 1


def test_an_act_done_twice_is_found_too() -> None:
    assert len(found(called("triage", "pay_refund", 1), called("billing", "pay_refund", 5))) == 1


@pytest.mark.parametrize(
    ("tool", "only_looks"),
    [
        *((tool, True) for tool in ("crm.get_customer", "mcp__kb__search", "LookupInvoice", "customer_lookup")),
        *((tool, False) for tool in ("pay_refund", "send_mail", "target_list_update", "")),
    ],
)
def test_a_tools_name_tells_whether_it_only_looks(tool: str, only_looks: bool) -> None:
    assert looks(tool) == only_looks
