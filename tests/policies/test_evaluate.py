"""Rules and facts to an answer."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from orchestration.policies.effects import BadEffect, Effect, Kind
from orchestration.policies.evaluate import Rule, evaluate, words
from orchestration.policies.scopes import BadScope, Scope

ALLOW = Effect(Kind.ALLOW)
FACTS: dict[str, Any] = {
    "action.type": "refund",
    "action.system": "payments",
    "action.amount": 620.0,
    "agent.name": "Refund-Bot",
    "agent.application": "support",
    "agent.kind": "ai",
    "context": {"returned": True},
}


def rule(condition: str = "action.amount <= limit", **more: Any) -> Rule:
    body = {
        "condition": condition,
        "then": {"kind": "allow"},
        "otherwise": {"kind": "hold", "skill": "refunds"},
        "limits": {"limit": 500},
    } | more
    return Rule.of(uuid4(), "refund-limit", "Refund limit", 7, body)


def test_the_strictest_effect_wins_and_every_match_is_told() -> None:
    rules = [rule(), rule("true", then={"kind": "deny"}), rule("true", then={"kind": "delay", "seconds": 60})]

    answer = evaluate(rules, FACTS, ALLOW)

    assert [match.effect.kind for match in answer.matches] == [Kind.DENY, Kind.HOLD, Kind.DELAY]
    assert answer.effect.kind == Kind.DENY


def test_without_a_rule_that_speaks_the_default_does() -> None:
    silent = rule(otherwise=None)

    answer = evaluate([silent], FACTS, Effect(Kind.HOLD))

    assert answer.effect.kind == Kind.HOLD
    assert answer.matches == ()


def test_the_reason_says_what_decided_with_its_values() -> None:
    answer = evaluate([rule("action.amount <= limit && context.returned")], FACTS, ALLOW)

    said = words(answer.matches[0], FACTS)

    assert "action.amount <= limit (action.amount is 620, limit is 500)" in said
    assert "returned" not in said


@pytest.mark.parametrize(("mode", "effect"), [("closed", Kind.HOLD), ("open", Kind.ALLOW)])
def test_a_missing_fact_is_named_and_the_fail_mode_speaks(mode: str, effect: Kind) -> None:
    answer = evaluate([rule("context.account_age > 30", fail_mode=mode)], FACTS, ALLOW)

    assert answer.effect.kind == effect
    assert answer.missing == ("context.account_age",)
    assert answer.degraded


def test_a_rule_that_need_not_read_a_missing_fact_is_not_degraded() -> None:
    answer = evaluate([rule("context.returned || context.account_age > 30")], FACTS, ALLOW)

    assert not answer.degraded
    assert answer.missing == ()


def test_shares_to_be_looked_at_afterwards_are_united() -> None:
    rules = [rule("true", then={"kind": "allow", "check_share": share}) for share in (0.05, 0.1)]

    answer = evaluate(rules, FACTS, ALLOW)

    assert [share for _, share in answer.shares] == [0.05, 0.1]


@pytest.mark.parametrize(
    ("scope", "takes"),
    [
        ({}, True),
        ({"types": ["Refund"]}, True),
        ({"types": ["refund.*"]}, False),
        ({"types": ["ref*"]}, True),
        ({"agents": ["refund-bot"]}, True),
        ({"agents": ["support/refund-bot"]}, True),
        ({"agents": ["billing/refund-bot"]}, False),
        ({"kinds": ["rpa", "ai"], "systems": ["payments"]}, True),
        ({"workflows": ["Loan"]}, False),
    ],
)
def test_a_scope_takes_what_it_names(scope: dict[str, list[str]], takes: bool) -> None:
    assert Scope.of(scope).takes(FACTS) is takes


@pytest.mark.parametrize("scope", [{"typos": ["x"]}, {"types": "refund"}, {"types": [1]}, {"types": ["x" * 300]}])
def test_a_scope_that_makes_no_sense_is_refused(scope: dict[str, Any]) -> None:
    with pytest.raises(BadScope):
        Scope.of(scope)


@pytest.mark.parametrize(
    ("stored", "field"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "hold", "on_timeout": "allow"}, "on_timeout"),
        ({"kind": "hold", "people": 3}, "people"),
        ({"kind": "route"}, "to"),
        ({"kind": "evidence", "evidence": []}, "evidence"),
        ({"kind": "allow", "check_share": 2}, "check_share"),
        ({"kind": "deny", "skill": "x"}, "skill"),
        ({"kind": "delay"}, "seconds"),
    ],
)
def test_an_effect_that_makes_no_sense_is_refused_by_name(stored: dict[str, Any], field: str) -> None:
    with pytest.raises(BadEffect) as caught:
        Effect.of(stored)

    assert caught.value.field == field


@pytest.mark.parametrize(
    "stored",
    [
        {"kind": "hold", "skill": "refunds", "due_s": 1800, "people": 2, "on_timeout": "reject"},
        {"kind": "amend", "amount": 500.0, "words": "At most 500"},
        {"kind": "allow", "check_share": 0.05},
        {"kind": "deny"},
    ],
)
def test_an_effect_is_stored_as_it_was_read(stored: dict[str, Any]) -> None:
    assert Effect.of(Effect.of(stored).stored()) == Effect.of(stored)
