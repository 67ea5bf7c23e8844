"""A draft over recorded decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from orchestration.policies.effects import Effect, Kind
from orchestration.policies.evaluate import Rule, evaluate
from orchestration.policies.replay import Replay
from orchestration.policies.replay_report import Recorded, Report

ALLOW = Effect(Kind.ALLOW)
POLICY = uuid4()
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def rule(condition: str = "action.amount <= limit", limit: float = 500, *, policy: UUID = POLICY, **more: Any) -> Rule:
    body = {
        "condition": condition,
        "then": {"kind": "allow"},
        "otherwise": {"kind": "hold"},
        "limits": {"limit": limit},
    }
    return Rule.of(policy, "refund-limit", "Refund limit", 1, body | more)


def recorded(n: int, amount: float, rules: list[Rule], kind: str = "refund", **more: Any) -> Recorded:
    facts = {"action.type": kind, "action.amount": amount, "agent.name": "bot", "context": {"account": "A"}}
    effect = evaluate(rules, facts, ALLOW).effect.kind.value
    return Recorded(UUID(int=n), BEGIN + timedelta(minutes=n), "bot", kind, effect, facts, amount=amount, **more)


def replayed(live: list[Rule], draft: Rule, history: list[Recorded]) -> Report:
    replay = Replay(live, draft, ALLOW)
    replay.feed(history)
    return replay.finish()


def test_an_unchanged_policy_decides_every_case_as_it_was_decided() -> None:
    live = [rule(), rule("action.amount < 900", policy=uuid4(), otherwise={"kind": "deny"})]
    history = [recorded(n, n * 10.0, live) for n in range(120)]

    report = replayed(live, rule(), history)

    assert (report.freed, report.held, report.changed, report.otherwise) == (0, 0, 0, 0)
    assert report.before.effects == report.after.effects


def test_what_is_freed_is_counted_by_what_people_had_said() -> None:
    live = [rule()]
    history = [
        recorded(1, 600, live, verdict="approve"),
        recorded(2, 700, live, verdict="reject"),
        recorded(3, 800, live),
        recorded(4, 100, live),
        recorded(5, 2000, live, verdict="reject"),
    ]

    report = replayed(live, rule(limit=1000), history)

    assert (report.freed, report.freed_wrong, report.freed_unjudged) == (3, 1, 1)
    assert (report.before.tickets, report.after.tickets) == (4, 1)
    assert (report.before.missed, report.after.missed) == (0, 1)
    assert [case.amount for case in report.freed_cases] == [700, 800, 600]


def test_a_tighter_rule_is_told_with_what_it_would_have_caught() -> None:
    live = [rule()]
    history = [recorded(1, 300, live, outcome="chargeback"), recorded(2, 400, live, outcome="good")]

    report = replayed(live, rule(limit=200), history)

    assert (report.held, report.held_right) == (2, 1)
    assert report.held_cases[0].outcome == "chargeback"


def test_the_curve_agrees_with_a_replay_at_each_of_its_limits() -> None:
    live = [rule(), rule("action.amount < 1500", policy=uuid4(), otherwise={"kind": "deny"})]
    history = [recorded(n, n * 17.0, live, verdict="reject" if n % 7 == 0 else "approve") for n in range(1, 120)]

    curve = replayed(live, rule(limit=600), history).curve

    assert len(curve) > 20
    for point in curve[1::6]:
        alone = replayed(live, rule(limit=point.limit or 1e-9), history).after
        assert (point.tickets, point.missed) == (alone.tickets, alone.missed)


def test_a_draft_that_looks_back_sees_what_was_asked_before() -> None:
    live = [rule("true")]
    history = [recorded(n, 499, live) for n in range(4)]

    report = replayed(live, rule("past.count_account_1h < 2"), history)

    assert report.held == 2


def test_missing_facts_are_counted() -> None:
    live = [rule("true")]
    history = [recorded(n, 100, live) for n in range(3)]

    report = replayed(live, rule("context.years > 3"), history)

    assert report.missing == {"context.years": 3}
    assert report.after.tickets == 3


def test_what_came_before_the_range_is_looked_back_on_and_not_counted() -> None:
    live = [rule("true")]
    history = [recorded(n, 499, live) for n in range(4)]
    replay = Replay(live, rule("past.count_account_1h < 2"), ALLOW)

    replay.warm(history[:3])
    replay.feed(history[3:])

    assert replay.looks_back
    assert (replay.finish().decisions, replay.report.held) == (1, 1)


def test_a_condition_that_never_or_always_holds_is_flagged() -> None:
    live = [rule("true")]
    history = [recorded(n, 100, live) for n in range(1, 9)]

    never, always = (replayed(live, rule(text), history) for text in ("action.amount > 5000", "action.amount > 1"))

    assert (never.never, never.always) == (True, False)
    assert (always.never, always.always) == (False, True)


def test_the_wait_is_told_of_those_tickets_whose_minutes_are_known() -> None:
    live = [rule()]
    history = [
        recorded(n, 900, live, verdict="approve", minutes=minutes) for n, minutes in enumerate((2.0, None, 10.0))
    ]

    before = replayed(live, rule(), history).told()["before"]

    assert (before["tickets"], before["waits_known"], before["median_wait_minutes"]) == (3, 2, 6.0)


def test_a_report_is_plain_json() -> None:
    live = [rule()]
    history = [recorded(n, n * 100.0, live, verdict="approve") for n in range(20)]

    told = replayed(live, rule(limit=900), history).told()

    assert orjson.loads(orjson.dumps(told)) == told
    assert (told["freed"], len(told["freed_cases"]), told["limit"]) == (4, 4, 900)


def test_tickets_and_errors_are_counted_where_the_rule_can_be_heard() -> None:
    """Another policy's tickets and errors are no doing of this one, before or after."""
    scope = {"types": ["refund"]}
    other = rule(limit=5, policy=uuid4(), scope={"types": ["payout"]})
    live = [rule(scope=scope), other]
    history = [
        recorded(1, 600, live, verdict="approve"),
        recorded(2, 100, live, verdict="reject"),
        *(recorded(n, 900, live, kind="payout", verdict="reject") for n in range(3, 9)),
        *(recorded(n, 1, live, kind="payout", outcome="chargeback") for n in range(9, 12)),
    ]

    report = replayed(live, rule(limit=1000, scope=scope), history)

    assert (report.decisions, report.concerned) == (11, 2)
    assert (report.before.tickets, report.after.tickets) == (1, 0)
    assert (report.before.missed, report.after.missed) == (1, 1)
    assert [(point.tickets, point.missed) for point in report.curve if point.limit == 1000] == [(0, 1)]


def test_what_only_the_version_before_spoke_of_is_counted_too() -> None:
    live = [rule(scope={"types": ["refund", "payout"]})]
    history = [recorded(1, 600, live), recorded(2, 600, live, kind="payout"), recorded(3, 600, live, kind="fee")]

    report = replayed(live, rule(scope={"types": ["refund"]}), history)

    assert (report.concerned, report.before.tickets, report.after.tickets, report.freed) == (2, 2, 1, 1)
