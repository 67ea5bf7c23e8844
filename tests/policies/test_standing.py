"""An editor's quick look over recent decisions says what asking each rule about each of them says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from orchestration.policies import standing
from orchestration.policies.effects import STRICTNESS
from orchestration.policies.evaluate import Rule, bound, judge
from tests.policies.test_ready import facts, rules


@pytest.fixture(autouse=True)
def without_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "PATIENCE_S", 60.0)


@settings(max_examples=100, deadline=None)
@given(rules.filter(len), some.lists(facts, max_size=30))
def test_a_look_says_what_asking_one_by_one_says(rules: list[Rule], history: list[dict[str, Any]]) -> None:
    rule, others = rules[0], [replace(other, scope=rules[0].scope) for other in rules[1:20]]

    found = standing.look(rule, [rule, *others], history)

    told = Counter({"decisions": found.decisions, "cases": found.cases, "true": found.true, "failed": found.failed})
    told.update({f"lacks {name}": n for name, n in found.lacking.items()})
    for policy, beside in found.beside.items():
        told.update(
            {f"{policy} both": beside.both, f"{policy} over": beside.stricter, f"{policy} under": beside.milder}
        )
    assert +told == one_by_one(rule, others, history)


def one_by_one(rule: Rule, others: Sequence[Rule], history: Sequence[Mapping[str, Any]]) -> Counter[str]:
    told = Counter(decisions=len(history))
    for asked in history:
        if not rule.scope.takes(asked):
            continue
        activation = bound(asked)
        mine = judge(rule, asked, activation)
        told["cases"] += 1
        if mine is None:
            continue
        told["true"] += mine.outcome is True
        told["failed"] += isinstance(mine.outcome, str)
        told.update(f"lacks {name}" for name in mine.missing)
        for other in others:
            if theirs := judge(other, asked, activation):
                ours, strict = STRICTNESS[mine.effect.kind], STRICTNESS[theirs.effect.kind]
                told[f"{other.policy} both"] += 1
                told[f"{other.policy} over"] += strict > ours
                told[f"{other.policy} under"] += strict < ours
    return +told
