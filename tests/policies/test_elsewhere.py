"""Decisions made elsewhere, read from what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.policies.elsewhere import BadTold, Told, read

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "type": "decision.recorded",
    "decision": "D-1",
    "agent": "support/refund-bot",
    "run": "R-1",
    "facts": {"action.type": "refund", "action.amount": 620, "context.years": 3, "agent.calls": 12},
    "effect": "hold",
    "verdict": "approve",
    "reviewer": "anna",
    "minutes": 4.5,
    "outcome": "good",
}


def told(**change: Any) -> Told:
    return read(EVENT | change, AT)


def test_it_is_read_as_an_ask_with_labels_beside_it() -> None:
    found = told()

    assert found.ask is not None
    assert (found.ask.type, float(found.ask.amount or 0), found.ask.context) == ("refund", 620.0, {"years": 3})
    assert (found.effect, found.verdict, found.minutes, found.outcome) == ("hold", "approve", 4.5, "good")
    assert found.more == {"agent.calls": 12.0}


def test_facts_may_be_told_as_objects() -> None:
    nested = told(
        facts={"action": {"type": "refund", "amount": "620"}, "context": {"years": 3}, "agent": {"calls": 12}}
    )

    assert (nested.ask, nested.more) == (told(facts=EVENT["facts"] | {"action.amount": "620"}).ask, told().more)


def test_the_same_told_again_is_the_same_decision() -> None:
    assert told().id == told(verdict="reject", facts={"action.type": "other"}).id
    assert told(decision=None, step="pay").id == told(decision=None, step="pay", outcome="bad").id
    assert told(decision=None).id == told(decision=None, outcome="bad").id
    assert len({told().id, told(decision="D-2").id, told(decision=None).id, told(decision=None, step="pay").id}) == 4


def test_a_verdict_alone_names_its_decision() -> None:
    verdict = {"type": "hold.decided", "decision": "D-1", "verdict": "reject", "minutes": 3}

    found = read(verdict, AT)

    assert (found.id, found.ask, found.effect) == (told().id, None, "hold")
    with pytest.raises(BadTold) as bad:
        read({"type": "hold.decided", "verdict": "reject"}, AT)
    assert bad.value.at == "decision"


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"facts": None}, "facts"),
        ({"facts": "all"}, "facts"),
        ({"facts": {"action.amount": 3}}, "facts.action.type"),
        ({"facts": {"action.type": "x", "action.amount": "ten"}}, "facts.action.amount"),
        ({"facts": {"action.type": "x", "amount": 10}}, "facts.amount"),
        ({"facts": {"action.type": "x", "agent.calls": "many"}}, "facts.agent.calls"),
        ({"facts": {"action.type": "x", "agent.vouched": "yes"}}, "facts.agent.vouched"),
        ({"facts": {"action.type": "x", "context": 3}}, "facts.context"),
        ({"facts": {"action.type": "x", "context.a": 3, "context.a.b": 4}}, "facts.context.a.b"),
        ({"facts": {"action.type": "x", "context.protected_age": 3}}, "facts"),
        ({"facts": {"action.type": "x", "context": {"deep": [{"protected_sex": 1}]}}}, "facts"),
        ({"agent": None}, "agent"),
        ({"agent": ["x"]}, "agent"),
        ({"decision": "x" * 300}, "decision"),
        ({"effect": "maybe"}, "effect"),
        ({"verdict": "yes"}, "verdict"),
        ({"verdict": {}}, "verdict"),
        ({"minutes": -1}, "minutes"),
        ({"minutes": True}, "minutes"),
        ({"type": "hold.decided", "verdict": None}, "verdict"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], at: str) -> None:
    with pytest.raises(BadTold) as bad:
        told(**change)

    assert bad.value.at == at


def test_an_unknown_fact_is_told_with_near_names() -> None:
    with pytest.raises(BadTold, match=r"Did you mean action\.amount"):
        told(facts={"action.type": "x", "action.amuont": 10})


def test_what_is_ours_to_say_is_not_taken_from_others() -> None:
    found = told(facts={"action.type": "x", "now": "1999-01-01", "now.hour": 3, "limit": 5, "known": ["x"]})

    assert found.more == {}
