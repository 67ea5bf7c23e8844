"""Recorded decisions in bulk, and policies to replay over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from uuid_utils.compat import uuid7

from orchestration.policies import lifecycle
from orchestration.policies.models import Decision, PolicyVersion
from orchestration.workspaces.models import User, Workspace

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
LIMIT = {
    "condition": "action.amount <= limit",
    "then": {"kind": "allow"},
    "otherwise": {"kind": "hold"},
    "limits": {"limit": 500},
}


def decisions(space: Workspace, amounts: Iterable[float], **more: Any) -> list[Decision]:
    """A minute apart."""
    return Decision.objects.bulk_create(
        [_decision(space, n, amount, more) for n, amount in enumerate(amounts)], batch_size=2_000
    )


def _decision(space: Workspace, n: int, amount: float, more: Mapping[str, Any]) -> Decision:
    at = BEGIN + timedelta(minutes=n)
    facts = {
        "agent.name": "refund-bot",
        "action.type": "refund",
        "action.amount": float(amount),
        "context": {"account": f"A{n % 50}"},
        "now": at.isoformat(),
    }
    plain: dict[str, Any] = {
        "workspace": space,
        "id": uuid7(),
        "at": at,
        "agent": "refund-bot",
        "action_type": "refund",
        "amount": amount,
        "run": f"R-{n}",
        "effect": "allow",
        "facts": facts,
        "answer": {},
    }
    return Decision(**{**plain, **more})


def draft(space: Workspace, author: User, **more: Any) -> PolicyVersion:
    return lifecycle.create(space, "Refund limit", author, LIMIT | more)
