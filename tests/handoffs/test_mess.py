"""What agents get in each other's way with: planted, and in the same story without it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from orchestration.handoffs import mess
from orchestration.handoffs.mess import Act, Counts
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.fold import fold
from orchestration.workflows.story import Step, Story

S = 1_000_000_000
TRACE = b"t" * 16


def call(at: int, agent: str, tool: str, given: dict[str, Any] | None = None, error: str = "") -> tuple[Any, ...]:
    return at, agent, tool, given or {}, error


def told(*calls: tuple[Any, ...], decided: tuple[Act, ...] = ()) -> Counts:
    """Of a story in which agents make these calls, each half a second long."""
    arguments = {bytes([at + 100]) * 8: given for at, _, _, given, _ in calls}
    return mess.counts(story(*calls), arguments, decided)


def story(*calls: tuple[Any, ...]) -> Story:
    steps = []
    for at, agent, tool, given, error in calls:
        turn, inner, outcome = bytes([at]) * 8, bytes([at + 100]) * 8, Outcome.ERROR if error else Outcome.OK
        hints = {"call": repr(sorted(given.items()))} if given else {}
        steps.append(step(turn, b"", at, agent, agent, Kind.AGENT, Outcome.OK, "", {}, ""))
        steps.append(step(inner, turn, at, tool, agent, Kind.TOOL, outcome, "crm", hints, error))
    return fold(steps)


def step(own: bytes, above: bytes, at: int, name: str, agent: str, kind: Kind, outcome: Outcome, *rest: Any) -> Step:
    system, hints, error = rest
    end, subject = at * S + S // 2, name if kind is Kind.TOOL else ""
    return Step(
        TRACE, own, above, at * S, end, name, kind, outcome, "desk", agent, system, subject, "", 0, 0, None, error, "",
        hints=hints,
    )  # fmt: skip


LOOK = {"customer_id": "C-1"}
PAID, OTHER = {"account": "A-1", "amount": 40.0}, {"account": "A-1", "amount": 37.5}


def test_a_story_without_any_has_none() -> None:
    clean = told(
        call(1, "service", "lookup_customer", LOOK),
        call(2, "billing", "get_bookings", {"account": "A-1"}),
        call(3, "billing", "promise_refund", PAID),
        call(4, "refund", "issue_refund", PAID),
        call(5, "service", "tell_customer", LOOK),
    )

    assert clean == Counts()
    assert not clean.any


def test_a_look_up_that_another_agent_made_is_repeated_and_takes_its_time() -> None:
    found = told(call(1, "service", "lookup_customer", LOOK), call(3, "billing", "lookup_customer", LOOK))

    assert (found.looked, found.lost_ms) == (1, 500)
    assert told(call(1, "service", "lookup_customer", LOOK), call(3, "service", "lookup_customer", LOOK)).looked == 0
    assert told(call(1, "service", "pay_refund", LOOK), call(3, "billing", "pay_refund", LOOK)).looked == 0


@pytest.mark.parametrize(
    "tool", ["ask_customer", "crm.notifyClient", "mcp__mail__email_applicant", "request_from_buyer"]
)
def test_a_customer_who_hears_two_agents_is_counted_from_the_second_on(tool: str) -> None:
    twice = told(call(1, "service", tool, {"about": "receipt"}), call(3, "billing", tool, {"about": "a photo"}))

    assert twice.asked == 1
    assert told(call(1, "service", tool), call(3, "service", tool)).asked == 0
    assert told(call(1, "service", tool), call(3, "billing", "ask_manager")).asked == 0


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        ("PaymentsTimeout: payments did not answer in 10 s", 1),
        ("TimeoutError", 1),
        ("httpx.ReadTimeout: timed out", 1),
        ("DEADLINE_EXCEEDED", 1),
        ("504 Gateway Time-out", 1),
        ("AccountNotFound: no account 1504", 0),
        ("RateLimitError: 429", 0),
    ],
)
def test_a_call_without_an_answer_in_time_timed_out(error: str, counted: int) -> None:
    assert told(call(1, "billing", "get_bookings", LOOK, error)).timed_out == counted


def test_what_one_agent_promised_and_another_pays_otherwise_differs() -> None:
    assert told(call(1, "billing", "promise_refund", PAID), call(3, "refund", "issue_refund", OTHER)).differed == 1
    again = call(5, "refund", "issue_refund", OTHER)
    tried = told(call(1, "billing", "promise_refund", PAID), call(3, "refund", "issue_refund", OTHER), again)
    assert tried.differed == 1  # one act, tried twice


@pytest.mark.parametrize(
    "second",
    [
        call(3, "refund", "issue_refund", PAID),
        call(3, "billing", "issue_refund", OTHER),  # thought better of it
        call(3, "refund", "issue_refund", OTHER | {"account": "A-2"}),
        call(3, "refund", "waive_fee", OTHER),
        call(3, "refund", "get_refund", OTHER),
        call(3, "refund", "issue_refund", OTHER, "PaymentsDown"),
        call(3, "refund", "issue_refund", {"account": "A-1"}),
        call(3, "refund", "issue_refund", {"account": "A-1", "amount": "NaN"}),
        call(3, "refund", "issue_refund", {"account": ["A-1"], "amount": 1}),
    ],
)
def test_another_act_does_not_differ(second: tuple[Any, ...]) -> None:
    assert told(call(1, "billing", "promise_refund", PAID), second).differed == 0


def test_what_agents_asked_to_be_allowed_counts_as_their_act() -> None:
    asked = Act("refunds/refund", "refund", frozenset({"a-1"}), Decimal("37.5"), 2 * S)

    assert told(call(1, "billing", "promise_refund", PAID), decided=(asked,)).differed == 1
    once = told(call(1, "billing", "promise_refund", PAID), call(3, "refund", "issue_refund", OTHER), decided=(asked,))
    assert once.differed == 1


def test_an_amount_is_read_however_it_is_written() -> None:
    assert mess.amount_in({"amount": "40.0"}) == mess.amount_in({"total": 40}) == Decimal(40)
    assert mess.amount_in({"amount": True}) is None
    assert mess.amount_in({"amount": "forty"}) is None
