"""A workspace with policies and a history of decisions, for the tests of their pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.policies import lifecycle
from orchestration.policies.models import Decision, Policy, PolicyVersion, Progress, ReplayRun
from orchestration.workspaces.models import User, Workspace

BODY: dict[str, Any] = {
    "scope": {"types": ["refund"]},
    "condition": "action.amount <= limit",
    "then": {"kind": "allow", "check_share": 0.05},
    "otherwise": {"kind": "hold", "skill": "refunds", "due_s": 1800},
    "limits": {"limit": 500},
}


def draft(workspace: Workspace, by: User, name: str = "Refund limit", **more: Any) -> PolicyVersion:
    return lifecycle.create(workspace, name, by, BODY | more)


def published(workspace: Workspace, by: User, name: str = "Refund limit", **more: Any) -> Policy:
    """Before there is any history, so that no replay is asked for."""
    made = draft(workspace, by, name, **more)
    replayed(made)
    return lifecycle.publish(made.policy_id, made.number, by, "A first rule").policy


def replayed(version: PolicyVersion) -> None:
    PolicyVersion.objects.filter(pk=version.pk).update(
        replayed_at=timezone.now(), replayed_digest=PolicyVersion.objects.get(pk=version.pk).digest
    )


def decided(workspace: Workspace, n: int = 1, **more: Any) -> list[Decision]:
    """Decisions of the last hours, one an hour."""
    now = timezone.now()
    made = []
    for place in range(n):
        values: dict[str, Any] = {
            "id": uuid7(),
            "at": now - timedelta(minutes=place + 1),
            "agent": "refund-bot",
            "action_type": "refund",
            "effect": "hold",
            "amount": 620,
            "facts": {
                "action.type": "refund",
                "action.amount": 620.0,
                "agent.name": "refund-bot",
                "context": {"returned": True},
            },
            "answer": {},
        } | more
        made.append(Decision(workspace=workspace, **values))
    return Decision.objects.bulk_create(made)


def report(**more: Any) -> dict[str, Any]:
    """What a replay found, as it is stored."""
    side = {"effects": {}, "tickets": 1224, "tickets_a_day": 40.8, "missed": 1, "missed_amount": 100.0}
    side |= {"unjudged": 0, "median_wait_minutes": 52.0, "waits_known": 900, "minutes": 60000.0}
    after = side | {
        "tickets": 612,
        "missed": 3,
        "missed_amount": 1830.0,
        "median_wait_minutes": 17.0,
        "minutes": 20000.0,
    }
    return {
        "decisions": 4218,
        "first": "2026-10-24T09:00:00+00:00",
        "last": "2026-11-23T09:00:00+00:00",
        "days": 30.0,
        "before": side,
        "after": after,
        "freed": 612,
        "freed_wrong": 2,
        "freed_unjudged": 40,
        "held": 0,
        "changed": 0,
        "limit": 1000.0,
        "curve": [{"limit": 250.0 * n, "tickets": 2000 - 200 * n, "missed": n // 2} for n in range(9)],
        "freed_cases": [case("R-20918", 940.0, "reject", "chargeback"), case("R-21002", 615.0, "approve", "")],
        "held_cases": [],
        "other_cases": [],
    } | more


def case(run: str, amount: float, verdict: str, outcome: str) -> dict[str, Any]:
    return {
        "id": str(UUID(int=1)),
        "at": "2026-11-20T09:00:00+00:00",
        "agent": "refund-bot",
        "action_type": "refund",
        "amount": amount,
        "run": run,
        "before": "hold",
        "after": "allow",
        "verdict": verdict,
        "outcome": outcome,
        "wrong": verdict == "reject",
        "looser": True,
    }


def ran(version: PolicyVersion, **more: Any) -> ReplayRun:
    """A replay of the version that has ended."""
    values: dict[str, Any] = {
        "workspace": version.policy.workspace,
        "version": version,
        "digest": version.digest,
        "body": version.body,
        "state": Progress.DONE,
        "done": 4218,
        "total": 4218,
        "report": report(),
        "ended_at": timezone.now(),
    } | more
    return ReplayRun.objects.create(**values)


def sent(**more: Any) -> dict[str, Any]:
    """The editor's form as a browser sends it, for `BODY`."""
    return {
        "editing": "1",
        "seen": "",
        "shape": "cel",
        "condition": "action.amount <= limit",
        "then-kind": "allow",
        "then-share": "5",
        "otherwise-kind": "hold",
        "otherwise-skill": "refunds",
        "otherwise-due": "30",
        "otherwise-people": "1",
        "otherwise-on_timeout": "remind",
        "limit-name": ["limit", ""],
        "limit-value": ["500", ""],
        "scope-types": "refund",
        "fail_mode": "closed",
    } | more
