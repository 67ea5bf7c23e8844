"""Decisions made elsewhere, told at the events door by whoever may."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from orchestration.control import digest
from orchestration.policies.models import Decision
from orchestration.telemetry.models import Delivery
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests.api.door import JSON, Door

RECORDED = {
    "type": "decision.recorded",
    "decision": "D-1",
    "at": "2025-03-01T12:00:00Z",
    "agent": "refund-bot",
    "run": "R-1",
    "facts": {"action.type": "refund", "action.amount": 620},
    "effect": "hold",
}
DECIDED = {"type": "hold.decided", "decision": "D-1", "at": "2025-03-01T12:07:00Z", "verdict": "approve", "minutes": 7}


def send(door: Door, *events: Any) -> tuple[int, dict[str, Any]]:
    reply = door.send("/api/v1/events", orjson.dumps({"events": events}), JSON)
    return reply.status, reply.json()


@pytest.fixture
def trusted(served: int, tenant: Workspace) -> Door:
    return Door(served, create_key(tenant, "history", ["ingest", "admin"])[1])


def test_an_admin_key_tells_of_decisions_however_old(trusted: Door, tenant: Workspace) -> None:
    status, body = send(trusted, RECORDED, DECIDED, {"type": "heartbeat", "agent": "scanner"})
    digest.drain()

    assert (status, body) == (200, {"accepted": 3, "rejected": []})
    row = Decision.objects.get(workspace=tenant)
    assert (row.imported, row.effect, row.verdict, row.at.year) == (True, "hold", "approve", 2025)
    assert not Delivery.objects.exists()


def test_a_verdict_may_come_in_another_request_and_first(trusted: Door, tenant: Workspace) -> None:
    for event in (DECIDED, RECORDED, RECORDED):
        assert send(trusted, event)[0] == 200
        digest.drain()

    row = Decision.objects.get(workspace=tenant)
    assert (row.action_type, row.verdict, row.at.minute) == ("refund", "approve", 0)


def test_another_key_may_not_and_its_other_events_are_kept(served: int, tenant: Workspace) -> None:
    door = Door(served, create_key(tenant, "test", ["ingest"])[1])

    status, body = send(door, {"type": "heartbeat", "agent": "scanner"}, RECORDED)
    digest.drain()

    assert (status, body["accepted"], body["rejected"][0]["field"]) == (200, 1, "type")
    assert "scope admin" in body["rejected"][0]["message"]
    assert not Decision.objects.filter(workspace=tenant).exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"facts": {"action.type": "x", "amuont": 1}}, "facts.amuont"),
        ({"facts": []}, "facts"),
        ({"at": "yesterday"}, "at"),
        ({"at": True}, "at"),
        ({"at": 9 * 10**18}, "at"),
        ({"verdict": "yes"}, "verdict"),
        ({"reviewer": 7}, "reviewer"),
        ({"facts": {"action.type": "x", "context.protected_race": "a"}}, "facts"),
    ],
)
def test_a_bad_one_is_named_by_its_field(trusted: Door, change: dict[str, Any], field: str) -> None:
    status, body = send(trusted, RECORDED | change)

    assert (status, body["rejected"][0]["field"]) == (422, field)
