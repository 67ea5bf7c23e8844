"""Facts that lie on the same sides of all constants are told the same by each condition."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from orchestration.policies import cel
from orchestration.policies.evaluate import Rule
from orchestration.policies.sides import Sides, decided_by_sides

SIDED = [
    "action.amount <= limit",
    "action.amount < 500 && action.type != 'refund'",
    "500.5 > action.amount || agent.kind == 'ai'",
    "action.amount == 400 ? now.weekend : now.hour >= limits.late",
    "!(action.amount != -0.0) || action.type in ['refund', 'payment.send']",
    "agent.kind.startsWith('a') && action.type < 'q'",
    "(action.amount < limit) == now.weekend",
    "true",
]
NOT_SIDED = [
    "action.amount * 2.0 < 500.0",
    "action.amount in [400, 500]",
    "1.0 / action.amount > 0.0",
    "string(action.amount) == '400'",
    "action.amount < action.stated",
    "context.years > 3",
    "'action.amount' in known",
    "evidence.kinds.exists(k, k == 'invoice')",
    "now.getFullYear() > 2020",
    "limits.exists(name, action.amount < limits[name])",
]
LIMITS = {"limit": 400, "late": 18}

facts = some.fixed_dictionaries(
    {"action.type": some.sampled_from(["refund", "payment.send", "REFUND"]), "now.weekend": some.booleans()},
    optional={
        "action.amount": some.sampled_from(
            [-1.0, -0.0, 0.0, 1e-300, 399.99, 400.0, 400.01, 499.0, 500.0, 500.5, 501.0, 1e15, float("nan"), None]
        ),
        "now.hour": some.sampled_from([0.0, 17.0, 18.0, 19.0]),
        "agent.kind": some.sampled_from(["ai", "rpa", "bot", None]),
    },
)


def rule(condition: str) -> Rule:
    return Rule.of(uuid4(), "some", "Some", 1, {"condition": condition, "then": {"kind": "deny"}, "limits": LIMITS})


RULES = [rule(condition) for condition in SIDED]
SIDES = Sides(RULES)


@settings(max_examples=400, deadline=None)
@given(facts, facts)
def test_facts_on_the_same_sides_are_told_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    key = SIDES.of(one)
    if key is None or key != SIDES.of(other):
        return

    assert told(one) == told(other)


def told(found: dict[str, Any]) -> list[bool | str]:
    activation = cel.activation(found)
    return [each.program.test(activation) for each in RULES]


def test_amounts_between_two_constants_are_on_one_side() -> None:
    keys = [SIDES.of({"action.amount": amount, "action.type": "refund"}) for amount in (401.0, 450.25, 499.99)]

    assert len(set(keys)) == 1


@pytest.mark.parametrize("value", [7, True, "many", float("nan"), [1.0]])
def test_of_what_is_no_number_nothing_is_said(value: Any) -> None:
    assert SIDES.of({"action.amount": value, "action.type": "refund"}) is None


@pytest.mark.parametrize("condition", SIDED)
def test_comparing_with_constants_is_decided_by_sides(condition: str) -> None:
    assert decided_by_sides(rule(condition))


@pytest.mark.parametrize("condition", NOT_SIDED)
def test_whatever_else_is_done_with_a_number_is_not(condition: str) -> None:
    assert not decided_by_sides(rule(condition))
