"""Handoffs that somebody took and then fell silent with. They come back to whoever takes them next, or end, as the pair
of agents wants it; the sender reads why in `problem`, and it counts as sent back.

1. due     its time is over: `ttl_s` that its receiver named, else a quarter of an hour
2. alive   heard since by telemetry: looked at again later. Who named a time is held to it; who never was heard has an
           hour
3. give up open again, at most three times and while it is worth anything; else expired

Each is a conditional change with its receipt: a sweep that is cut short, or runs twice, gives up nothing twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from orchestration.handoffs import bounces, demands, parties, telling
from orchestration.handoffs.demands import Demanded
from orchestration.handoffs.given import Fault
from orchestration.handoffs.models import Envelope, Passing
from orchestration.handoffs.parties import Party
from orchestration.handoffs.sending import AT_ONCE, SILENT, note
from orchestration.lib.pulse import publish
from orchestration.telemetry.models import Pulse

UNHEARD = timedelta(hours=1)
MOST_RETURNS = 3


def give_up_silent() -> int:
    """Returns how many were given up."""
    now, done = timezone.now(), []
    with transaction.atomic():
        taken = Envelope.objects.select_for_update(skip_locked=True).filter(state=Passing.ACCEPTED, due_at__lte=now)
        for row in taken.order_by("due_at")[:AT_ONCE]:
            until = _lives_until(row, now)
            if until is None:
                _give_up(row, now)
                done.append(row.workspace_id)
            else:
                Envelope.objects.filter(pk=row.pk).update(due_at=until)
    for workspace_id in set(done):
        publish(workspace_id, "run")
    return len(done)


def _lives_until(row: Envelope, now: datetime) -> datetime | None:
    """When to look again; None: it is given up."""
    if _promised(row):
        return None
    ids = parties.agents(row.workspace_id, Party(row.receiver_key, row.receiver_app))
    pulses = Pulse.objects.filter(workspace_id=row.workspace_id, agent_id__in=ids)
    heard = max(pulses.values_list("heard_at", flat=True), default=None)
    until = heard + SILENT if heard else (row.accepted_at or row.sent_at) + UNHEARD
    return until if until > now else None


def _promised(row: Envelope) -> bool:
    return any(row.acts.get(name, [None])[2:] not in ([], [None]) for name in ("accept", "extend"))


def _give_up(row: Envelope, now: datetime) -> None:
    late = _promised(row)
    words = (
        "Its receiver took it, and its time was over before it was done or more time was asked for."
        if late
        else "Its receiver took it, and was not heard of any more."
    )
    pair = Party(row.sender_key, row.sender_app), Party(row.receiver_key, row.receiver_app)
    again = Demanded.of(demands.row_of(row.workspace_id, pair)).again and row.returned < MOST_RETURNS
    again = again and (row.expires_at is None or row.expires_at > now)
    kind = "late" if late else "silent"
    row.returned += 1
    row.fence += 1  # who had it does not have it any more
    row.problem = {"type": kind, "message": words, "at": now.isoformat(timespec="seconds")}
    row.acts, row.due_at = {}, None
    if again:
        row.state, row.accepted_at = Passing.SENT, None
    else:
        row.state, row.ended_at, row.reason = Passing.EXPIRED, now, words
    row.save(
        update_fields=["state", "accepted_at", "ended_at", "due_at", "acts", "reason", "returned", "problem", "fence"]
    )
    bounces.count(row.workspace_id, (row.sender, row.receiver), pair, [Fault(kind, kind, words)], now)
    note(row, "returned" if again else "expired", now, {"why": kind, "times": row.returned})
    telling.returned(row, kind)
