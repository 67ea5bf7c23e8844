"""What would have to be true for an act to pass."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from orchestration.policies.effects import Effect, Kind
from orchestration.policies.evaluate import Rule
from orchestration.policies.nearest import AMOUNT, KINDS, Variant, nearest

ALLOW = Effect(Kind.ALLOW)


def rule(condition: str, **body: Any) -> Rule:
    return Rule.of(uuid4(), "p", "P", 1, {"condition": condition, "then": {"kind": "hold"}} | body)


def facts(**more: Any) -> dict[str, Any]:
    return {
        "action.type": "refund",
        AMOUNT: 620.0,
        "context": {"item_back": True},
        KINDS: [],
        "evidence.count": 0.0,
    } | {name.replace("__", "."): value for name, value in more.items()}


@pytest.mark.parametrize(
    ("condition", "limits", "found"),
    [
        ("action.amount > limit", {"limit": 480}, 480.0),
        ("action.amount >= 500.0", {}, 499.99),
        ("action.amount * 2.0 > 1000.0", {}, 500.0),
        ("action.amount > 0.5 * context.order", {}, 300.0),
    ],
)
def test_the_amount_is_lowered_no_further_than_it_has_to_be(
    condition: str, limits: dict[str, float], found: float
) -> None:
    told = facts(context={"order": 600.0})

    assert nearest([rule(condition, limits=limits)], told, ALLOW)[0] == Variant(AMOUNT, found)


def test_another_rule_that_still_stops_it_is_heeded() -> None:
    both = [rule("action.amount > 500.0"), rule("action.amount > 200.0")]

    assert nearest(both, facts(), ALLOW) == [Variant(AMOUNT, 200.0)]


def test_a_yes_that_would_have_to_be_a_no_is_named() -> None:
    told = facts(context={"item_back": False})

    assert nearest([rule("!context.item_back")], told, ALLOW) == [Variant("context.item_back", True)]


def test_evidence_that_is_lacking_is_named() -> None:
    found = nearest([rule("!('invoice' in evidence.kinds)")], facts(), ALLOW)

    assert found == [Variant(KINDS, "invoice")]


def test_a_fact_that_nobody_knows_would_have_to_be_known() -> None:
    found = nearest([rule("!context.checked")], facts(), ALLOW)

    assert found == [Variant("context.checked", True)]


def test_nothing_is_promised_that_the_rules_do_not_let_pass() -> None:
    assert nearest([rule("true")], facts(), ALLOW) == []
    assert (
        nearest([rule("action.amount > 500.0 || !context.item_back")], facts(context={"item_back": False}), ALLOW) == []
    )
    assert nearest([], facts(), ALLOW) == []


def test_an_act_without_an_amount_has_none_to_lower() -> None:
    told = {name: value for name, value in facts().items() if name != AMOUNT}

    assert nearest([rule("action.amount > 500.0")], told, ALLOW) == []
