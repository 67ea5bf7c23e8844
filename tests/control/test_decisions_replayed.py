"""What was decided at the door comes out of a replay as it was decided, byte for byte."""

from __future__ import annotations

import secrets
from random import Random
from typing import Any

import orjson
import pytest

from orchestration.control import decide, replaying
from orchestration.policies import asks, lifecycle, live
from orchestration.policies.evaluate import evaluate
from orchestration.policies.models import Decision, PolicyVersion
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.api.door import JSON, Door

ASKS = 150
BODIES: list[dict[str, Any]] = [
    {
        "condition": "action.amount <= limit",
        "then": {"kind": "allow", "check_share": 0.1},
        "otherwise": {"kind": "hold"},
        "limits": {"limit": 500},
    },
    {"condition": "past.count_account_24h >= 3", "then": {"kind": "hold", "skill": "fraud"}, "otherwise": None},
    {
        "condition": "context.years > 3",
        "then": {"kind": "allow"},
        "otherwise": {"kind": "evidence", "evidence": ["id"]},
    },
    {"condition": "agent.calls < 1000 && now.hour >= 0", "then": {"kind": "delay", "seconds": 60}, "fail_mode": "open"},
    {
        "condition": "agent.kind == 'ai'",
        "then": {"kind": "amend"},
        "limits": {"limit": 300},
        "scope": {"types": ["pay.*"]},
    },
]


@pytest.fixture
def author(tenant: Workspace) -> User:
    return User.objects.create_user(username=f"admin-{secrets.token_hex(4)}")


def published(tenant: Workspace, author: User) -> list[PolicyVersion]:
    made = [lifecycle.create(tenant, f"Rule {n}", author, body) for n, body in enumerate(BODIES)]
    return [lifecycle.publish(each.policy_id, each.number, author, "A first rule") for each in made]


def some_ask(random: Random) -> dict[str, Any]:
    context: dict[str, Any] = {"customer": {"id": f"c{random.randrange(9)}", "tier": "gold"}}
    if random.random() < 0.7:
        context["years"] = random.choice([1, 2.5, 8, "many"])
    action: dict[str, Any] = {
        "type": random.choice(["refund", "pay.send"]),
        "system": "payments",
        "arguments": {"account": f"CH{random.randrange(12)}"},
    }
    if random.random() < 0.9:
        action["amount"] = round(random.uniform(1, 1500), 2)
    return {"agent": random.choice(["refund-bot", "clerk"]), "action": action, "run": "R", "context": context}


@pytest.fixture
def history(served: int, tenant: Workspace, author: User) -> list[PolicyVersion]:
    make.agent(tenant, "refund-bot")
    versions = published(tenant, author)
    may, random = Door(served, create_key(tenant, "asks", ["decide"])[1]), Random(7)
    for _ in range(ASKS // 50):
        body = orjson.dumps({"items": [some_ask(random) for _ in range(50)]})
        assert may.send("/api/v1/decisions", body, JSON).status == 200
    return versions


def test_an_unchanged_policy_decides_as_it_had_decided(tenant: Workspace, history: list[PolicyVersion]) -> None:
    effects = set(Decision.objects.filter(workspace=tenant).values_list("effect", flat=True))
    assert len(effects) >= 4

    for version in history:
        run = replaying.start(tenant, version, None)
        replaying.work()
        run.refresh_from_db()

        assert run.report is not None, run.fault
        assert run.report["decisions"] == ASKS
        assert [run.report[each] for each in ("otherwise", "freed", "held", "changed")] == [0, 0, 0, 0]
        assert run.report["before"] == run.report["after"]


def test_effects_and_reasons_come_out_byte_for_byte(tenant: Workspace, history: list[PolicyVersion]) -> None:
    book = live.book(tenant.pk)

    for row in Decision.objects.filter(workspace=tenant):
        facts = asks.restored(row.facts)
        answer = evaluate(book.rules, facts, book.default)
        again = decide._told(answer, facts, book, row.id, row.hold_id)

        assert orjson.dumps(again, option=orjson.OPT_SORT_KEYS) == orjson.dumps(row.answer, option=orjson.OPT_SORT_KEYS)
