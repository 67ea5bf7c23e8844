"""Rules that are asked all the time say what they say when each is asked by itself, whatever was asked before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from orchestration.control.decide import _shadow
from orchestration.policies import ready
from orchestration.policies.effects import Effect, Kind
from orchestration.policies.evaluate import Rule, evaluate
from orchestration.policies.live import Book
from orchestration.policies.ready import Ready
from tests.policies.test_together import CONDITIONS, EFFECTS

SCOPES: list[dict[str, list[str]]] = [
    {},
    {"types": ["payment.*"]},
    {"types": ["Refund"], "systems": ["Bank"]},
    {"agents": ["bot", "desk/clerk"]},
    {"kinds": ["ai"]},
    {"workflows": ["Refund*"]},
]
bodies = some.fixed_dictionaries(
    {
        "condition": some.sampled_from([*CONDITIONS, "action.amount <= limit"]),
        "then": some.sampled_from(EFFECTS),
        "otherwise": some.sampled_from([None, *EFFECTS]),
        "limits": some.just({"limit": 400}),
        "scope": some.sampled_from(SCOPES),
        "fail_mode": some.sampled_from(["closed", "open"]),
    }
)
rules = some.lists(bodies.map(lambda body: Rule.of(uuid4(), "some", "Some", 1, body)), max_size=40)
facts = some.fixed_dictionaries(
    {
        "action.type": some.sampled_from(["refund", "REFUND", "payment.send", "payment.approve", ""]),
        "agent.name": some.sampled_from(["bot", "clerk"]),
        "action.arguments": some.sampled_from([{}, {"account": "A"}, {"account": 7}]),
        "context": some.sampled_from([{}, {"years": 5}, {"years": 0.5, "tier": "gold"}, {"years": "many"}]),
        "evidence.kinds": some.sampled_from([[], ["invoice"]]),
        "now.hour": some.integers(0, 23).map(float),
    },
    optional={
        "action.amount": some.one_of(some.integers(0, 1200).map(float), some.sampled_from([100.0, 400.0, 500.0])),
        "action.system": some.sampled_from(["bank", "ledger"]),
        "agent.kind": some.sampled_from(["ai", "rpa"]),
        "agent.application": some.sampled_from(["desk", "shop"]),
        "run.workflow": some.sampled_from(["refunds", "Loans"]),
    },
)
asks = some.lists(some.tuples(facts, some.integers(1, 6)), min_size=1, max_size=12)
defaults = some.sampled_from([Effect(Kind.ALLOW), Effect(Kind.HOLD)])


@settings(max_examples=150, deadline=None)
@given(rules, defaults, asks)
def test_what_is_remembered_changes_no_answer(
    rules: list[Rule], default: Effect, asks: list[tuple[dict[str, Any], int]]
) -> None:
    known = Ready(rules, default)

    for asked, times in asks:
        for _ in range(times):
            assert known.evaluate(asked) == evaluate(rules, asked, default)


@settings(max_examples=60, deadline=None)
@given(rules, rules, defaults, asks)
def test_a_shadow_says_what_it_would_say_if_it_were_live(
    rules: list[Rule], tried: list[Rule], default: Effect, asks: list[tuple[dict[str, Any], int]]
) -> None:
    shadows = tuple(tried[:3])
    if rules and shadows:  # one of them is another version of a live one
        shadows = (*shadows, Rule(rules[0].policy, *[getattr(shadows[0], name) for name in Rule.__slots__[1:]]))
    book = Book(1, default, ZoneInfo("UTC"), "USD", {}, tuple(rules), shadows)

    for asked, _ in asks:
        told = _shadow(book, asked, book.ready.evaluate(asked))
        assert told == _one_by_one(book, asked)


def _one_by_one(book: Book, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    if not book.shadows:
        return None
    tried = {}
    for shadow in book.shadows:
        rules = [*(rule for rule in book.rules if rule.policy != shadow.policy), shadow]
        tried[str(shadow.policy)] = {
            "version": shadow.version,
            "effect": evaluate(rules, asked, book.default).effect.kind,
        }
    return {"live": evaluate(book.rules, asked, book.default).effect.kind, "tried": tried}


def test_names_that_are_made_up_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "NAMES", 20)
    body = {"condition": "true", "then": {"kind": "deny"}, "scope": {"types": ["payment.*"]}}
    known = Ready([Rule.of(uuid4(), "some", "Some", 1, body)], Effect(Kind.ALLOW))

    kinds = [known.evaluate({"action.type": f"{'payment.' * (n % 2)}{n}"}).effect.kind for n in range(200)]

    assert kinds == [Kind.ALLOW, Kind.DENY] * 100
    assert len(known._by_names) <= 20


def test_amounts_that_are_made_up_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "SIDES", 20)
    body = {"condition": "action.amount <= 500 && action.type != 'none'", "then": {"kind": "deny"}}
    known = Ready([Rule.of(uuid4(), "some", "Some", 1, body)], Effect(Kind.ALLOW))

    kinds = [known.evaluate({"action.type": str(n), "action.amount": 400.0 + n}).effect.kind for n in range(200)]

    assert kinds == [Kind.DENY] * 101 + [Kind.ALLOW] * 99
    (circle,) = known._circles.values()
    assert circle._conditions
    assert 0 < len(circle._conditions._known) <= 20
