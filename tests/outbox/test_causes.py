"""What is told to receivers, and when: each message a row of the transaction that causes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.outbox import endpoints, sweep
from orchestration.outbox.models import Event, Message
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests.api.conftest import tenant
from tests.api.door import JSON, Door
from tests.api.test_decisions import author, rule
from tests.api.test_holds import QUESTION
from tests.outbox.receiver import Receiver

__all__ = ["author", "tenant"]  # fixtures
ASK = {"agent": "refund-bot", "action": {"type": "refund", "amount": 620}, "run": "R-1", "context": {"note": "private"}}


@pytest.fixture
def may(served: int, tenant: Workspace, author: User, receiver: Receiver, inside: None) -> Door:
    """A key that asks, in a workspace whose receiver wants to hear everything."""
    endpoints.add(tenant, receiver.url, Event.values, author)
    return Door(served, create_key(tenant, "asks", ["decide"])[1])


def told(receiver: Receiver) -> dict[str, Any]:
    sweep.deliver()
    found = [orjson.loads(body) for _, _, body in receiver.got]
    receiver.got.clear()
    return {each["type"]: each["data"] for each in found}


def test_a_decision_a_hold_and_a_policy_are_told(
    may: Door, tenant: Workspace, author: User, receiver: Receiver
) -> None:
    rule(tenant, author)
    assert told(receiver)["policy.published"]["policy"] == "refund-limit"

    answer = may.send("/api/v1/decisions", orjson.dumps(ASK), JSON).json()

    found = told(receiver)
    assert (found["decision.made"]["id"], found["decision.made"]["effect"]) == (answer["id"], "hold")
    assert "private" not in str(found["decision.made"])
    assert (found["hold.opened"]["id"], found["hold.opened"]["state"]) == (answer["hold"], "open")


def test_an_allow_opens_nothing(may: Door, receiver: Receiver) -> None:
    may.send("/api/v1/decisions", orjson.dumps(ASK), JSON)

    assert list(told(receiver)) == ["decision.made"]


def test_the_verdict_is_told_when_it_can_no_longer_be_taken_back(
    may: Door, tenant: Workspace, author: User, receiver: Receiver
) -> None:
    answer = may.send("/api/v1/holds", orjson.dumps(QUESTION), JSON).json()
    assert told(receiver)["hold.opened"]["id"] == answer["id"]
    verdicts.decide(Hold.objects.get(pk=str(answer["id"])), Verdict(Answered.APPROVE), author, revision=0)
    assert told(receiver) == {}

    Hold.objects.filter(workspace=tenant).update(apply_at=timezone.now() - timedelta(seconds=1))
    verdicts.apply_due()

    applied = told(receiver)["hold.applied"]
    assert (applied["id"], applied["state"], applied["verdict"]) == (answer["id"], "applied", "approve")


def test_time_that_ran_out_is_told(may: Door, tenant: Workspace, receiver: Receiver) -> None:
    may.send("/api/v1/holds", orjson.dumps(QUESTION), JSON)
    past = timezone.now() - timedelta(seconds=1)
    Hold.objects.filter(workspace=tenant).update(due_at=past, on_timeout="reject")

    verdicts.expire_due()

    assert told(receiver)["hold.expired"]["verdict"] == "reject"


def test_where_nobody_asked_to_be_told_nothing_is_stored(served: int, tenant: Workspace) -> None:
    may = Door(served, create_key(tenant, "asks", ["decide"])[1])

    may.send("/api/v1/decisions", orjson.dumps(ASK), JSON)

    assert not Message.objects.filter(workspace=tenant).exists()
