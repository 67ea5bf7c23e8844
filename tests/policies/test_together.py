"""Conditions asked together say what each says alone; a replay says what the live evaluator says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from orchestration.policies import cel
from orchestration.policies.effects import Effect, Kind
from orchestration.policies.evaluate import Rule, evaluate
from orchestration.policies.replay import Replay
from orchestration.policies.replay_report import Recorded
from orchestration.policies.together import Together, names_in

CONDITIONS = [
    "action.amount <= 500",
    "context.years > 3",
    "has(context.years) && context.years > 3",
    "agent.kind == 'ai' && now.hour < 22",
    "'action.amount' in known",
    "context.tier in ['gold', 'silver'] || action.amount < 100  // the good ones",
    "evidence.kinds.exists(k, k == 'invoice')",
    "action.arguments.account == 'A' ? action.amount < 900 : context.years > 1",
    "true",
    "action.amount / context.years > 100.0",
]
EFFECTS: list[dict[str, Any]] = [
    {"kind": "allow"},
    {"kind": "hold"},
    {"kind": "deny"},
    {"kind": "amend", "amount": 10},
    {"kind": "delay", "seconds": 60},
]


def some_facts(random: Random) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "action.type": random.choice(["refund", "payment.send", "payment.approve"]),
        "agent.name": random.choice(["bot", "clerk"]),
        "action.arguments": random.choice([{}, {"account": "A"}, {"account": 7}]),
        "context": random.choice([{}, {"years": 5}, {"years": 0.5, "tier": "gold"}, {"years": "many"}]),
        "evidence.kinds": random.choice([[], ["invoice"]]),
        "now.hour": float(random.randrange(24)),
    }
    if random.random() < 0.8:
        facts["action.amount"] = float(random.randrange(1200))
    if random.random() < 0.5:
        facts["agent.kind"] = "ai"
    return facts


def some_rule(random: Random, policy: UUID | None = None) -> Rule:
    body = {
        "condition": random.choice([*CONDITIONS, "action.amount <= limit"]),
        "then": random.choice(EFFECTS),
        "otherwise": random.choice([None, *EFFECTS]),
        "limits": {"limit": 400},
        "scope": random.choice([{}, {"types": ["payment.*"]}, {"agents": ["bot"]}]),
        "fail_mode": random.choice(["closed", "open"]),
    }
    return Rule.of(policy or uuid4(), "some", "Some", 1, body)


@pytest.mark.parametrize("seed", range(6))
def test_conditions_asked_together_say_what_each_says_alone(seed: int) -> None:
    random = Random(seed)
    programs = [cel.compiled(random.choice(CONDITIONS)) for _ in range(random.randrange(1, 60))]
    together = Together(programs)

    for _ in range(60):
        facts = some_facts(random)
        activation = cel.activation({**facts, "known": sorted(facts)})
        true, untold = together.test(activation)
        alone = [program.test(activation) for program in programs]

        assert [place for place in range(len(alone)) if true >> place & 1] == [
            place for place, outcome in enumerate(alone) if outcome is True
        ]
        assert dict(untold) == {place: outcome for place, outcome in enumerate(alone) if isinstance(outcome, str)}


def test_a_name_that_is_only_asked_for_is_among_those_that_are_bound() -> None:
    program = cel.compiled("has(context.years) || 'action.amount' in known")

    assert names_in([program]) == {"context", "known"}


@pytest.mark.parametrize("seed", range(12))
def test_a_replay_says_of_each_decision_what_the_live_evaluator_says(seed: int) -> None:
    random = Random(seed)
    default = Effect(random.choice([Kind.ALLOW, Kind.HOLD]))
    live = [some_rule(random) for _ in range(random.randrange(1, 40))]
    policy = random.choice([live[0].policy, uuid4()])
    draft = some_rule(random, policy)
    after = [*(rule for rule in live if rule.policy != policy), draft]
    begin = datetime(2026, 3, 2, tzinfo=UTC)

    for n in range(40):
        facts = some_facts(random)
        replay = Replay(live, draft, default)
        replay.feed([Recorded(UUID(int=n), begin + timedelta(minutes=n), "bot", facts["action.type"], "allow", facts)])
        report = replay.finish()

        answer = evaluate(after, facts, default)
        concerned = any(rule.scope.takes(facts) for rule in (*live, draft) if rule.policy == policy)
        said = (
            [[evaluate(live, facts, default).effect.kind.value], [answer.effect.kind.value]] if concerned else [[], []]
        )
        assert [list(report.before.effects), list(report.after.effects)] == said
        mine = next((match for match in answer.matches if match.rule is draft), None)
        assert set(report.missing) == set(mine.missing if mine else ())
