"""A rule is tried before it is stored: what costs too much or fails whatever the facts are is told at its place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from orchestration.policies import cel, versions
from orchestration.policies.evaluate import Rule
from orchestration.policies.rehearsal import TOO_MUCH, rehearse
from orchestration.policies.standing import look
from orchestration.policies.vocabulary import FIELDS
from tests.policies.test_cel import BOMBS
from tests.waiting import allowed

BODY: dict[str, Any] = {"then": {"kind": "hold"}, "limits": {"limit": 500}}
DIGITS = "[0,1,2,3,4,5,6,7,8,9]"


def told(condition: str, **limits: float) -> list[tuple[str, int, int]]:
    return [(f.message, f.line, f.column) for f in rehearse(cel.compiled(condition), limits)]


@pytest.mark.parametrize(
    ("condition", "says", "line", "column"),
    [
        ("action.amount <= 500 &&\n  action.type.matches('(((a{100}){100}){100})')", "no pattern", 2, 22),
        ("action.type == 'refund' || 1 / 0 == 1", "divides by zero", 1, 30),
        ("int(action.amount) % 0 == 1", "divides by zero", 1, 20),
        ("9223372036854775807 + 1 > 0", "beyond what numbers and times can hold", 1, 21),
        ("duration('999999999999999h') > duration('1s')", "no length of time", 1, 9),
        ("timestamp('9999-12-31T23:59:59Z') + duration('87600h') > now", "beyond what numbers", 1, 35),
        ("action.amount > 5 && [1][5] == 1", "a place that the list does not have", 1, 25),
        (
            f"action.amount > 5 && {DIGITS}.all(a, {DIGITS}.all(b, {DIGITS}.all(c, {DIGITS}.all(d, "
            f"{DIGITS}.all(e, a + b + c + d + e >= 0)))))",
            "more work",
            1,
            47,
        ),
        ("known.all(a, known.all(b, known.all(c, a + b != c)))", "more work", 1, 10),
    ],
)
def test_what_cannot_decide_is_told_at_its_place(condition: str, says: str, line: int, column: int) -> None:
    ((message, *at),) = told(condition)

    assert says in message
    assert at == [line, column]


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        "action.amount / limit > 2",
        "context.a > 3 && context.b.startsWith('x')",
        "context.items.all(i, i.price < 5)",
        "size(context.items) > 3 && context.items[3] == 1",
        "evidence.kinds[4] == 'invoice'",
        "timestamp(context.when) > now && duration(context.wait) > duration('1h')",
        "int(step.name) > 3",
        "timestamp(proposal) > now",
        "'refund' in action.arguments.kinds",
        "context.nothing.more == 1 || context.nothing == 2",
        "proposal.matches(context.pattern)",
        "known.exists(name, name.startsWith('customer'))",
    ],
)
def test_what_may_fail_on_some_facts_is_the_policys_own_affair(condition: str) -> None:
    assert told(condition, limit=500.0) == []


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if name not in ("limit", "limits")])
def test_every_fact_may_be_asked_for(name: str) -> None:
    assert told(f"{name} == {name}") == []


def test_a_rule_that_is_too_much_for_what_was_asked_lately_is_refused() -> None:
    rule = cel.compiled("context.items.all(a, context.items.all(b, a != b || a == b))")
    heavy = {"context": {"items": list(range(1000))}}

    assert rehearse(rule, {}) == []
    (fault,) = rehearse(rule, {}, [{}, heavy])
    assert fault.message == f"{TOO_MUCH} A recent ask took too long."


def test_a_version_says_it_beside_the_condition() -> None:
    with pytest.raises(versions.BadBody) as error:
        versions.checked(BODY | {"condition": "action.amount > 1 && 1/0 == 1"})

    (fault,) = error.value.faults
    assert (fault.field, fault.line, fault.column) == ("condition", 1, 23)


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_no_bomb_is_worth_a_wait(text: str) -> None:
    history = [{"action.amount": 1.0, "context": {"text": "a" * 5000, "items": list(range(200))}}] * 2000
    begun = time.thread_time()

    try:
        body = versions.checked(BODY | {"condition": text}, history[:50])
    except versions.BadBody:
        body = None
    if body:
        look(Rule.of(versions._NOBODY, "x", "x", 1, body), [], history)

    assert time.thread_time() - begun < allowed(0.3)
