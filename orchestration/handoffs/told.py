"""Handoffs and claims as agents, keys and people see them. What agents wrote is content, which not all may read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestration.handoffs.envelope import LISTS
from orchestration.handoffs.models import Claim, Envelope, Holding, Passing

_EMPTY: dict[str, Any] = {"asked": None, **dict.fromkeys(LISTS), "data_classes": None, "facts": None}


def told(row: Envelope, *, content: bool = True) -> dict[str, Any]:
    body = _EMPTY | row.body
    if not content:
        body = _EMPTY | {"data_classes": body["data_classes"]}
    return {
        "id": row.pk,
        "version": row.version,
        "run": row.run,
        "run_id": row.run_id,
        "from": row.sender,
        "to": row.receiver,
        **body,
        "state": row.state,
        "sent_at": row.sent_at,
        "expires_at": row.expires_at,
        "accepted_at": row.accepted_at,
        "ended_at": row.ended_at,
        "reason": (row.reason or None) if content else None,
        "result": row.result if content else None,
        "demands": row.demands,
        "due_at": row.due_at,
        "returned": row.returned,
        "fence": row.fence,
        "problem": row.problem,
    }


def state_of(row: Envelope, now: datetime) -> str:
    """What is past its time has expired, also before the sweep says so."""
    over = row.state == Passing.SENT and row.expires_at is not None and row.expires_at <= now
    return Passing.EXPIRED if over else row.state


def claimed(row: Claim, now: datetime, *, granted: bool, content: bool = True) -> dict[str, Any]:
    """`state`: held, done, released, expired (its time is over and nobody has taken it yet), lost, stale."""
    over = row.state == Holding.HELD and row.until <= now
    return {
        "id": row.pk,
        "granted": granted,
        "holder": row.agent,
        "since": row.since,
        "until": row.until,
        "state": "expired" if over else row.state,
        "result": row.result if content else None,
        "run": row.run,
        "run_id": row.run_id,
        "key": row.key,
        "fence": row.fence,
        "late": row.late,
        "ended_at": row.ended_at,
    }
