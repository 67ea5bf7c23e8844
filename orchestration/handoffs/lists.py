"""Envelopes found again: by who hands to whom, by run, by state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from orchestration.handoffs import parties
from orchestration.handoffs.given import Speaker
from orchestration.handoffs.models import OPEN, Envelope, Passing
from orchestration.lib.paging import BadCursor, Page, from_cursor, to_cursor
from orchestration.workflows.run_search import find_run

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list is narrowed by; what is "" narrows nothing. `state` open: sent and accepted."""

    sender: str = ""
    receiver: str = ""
    state: str = ""
    run: str = ""
    q: str = ""


def listing(speaker: Speaker, asked: Asked, limit: int, cursor: str | None) -> Page[Envelope]:
    """Newest first; those that wait for one receiver oldest first, since that is the order in which it should take
    them. Only those of agents that the key may speak for."""
    waiting = bool(asked.receiver) and asked.state == Passing.SENT
    found = Envelope.objects.filter(narrowed(speaker, asked), workspace=speaker.workspace_id)
    if cursor:
        us, last = from_cursor(cursor, int, str)
        found = found.filter(_beyond(us, last, "gt" if waiting else "lt"))
    order = ("sent_at", "id") if waiting else ("-sent_at", "-id")
    rows = list(found.order_by(*order)[: limit + 1])
    last_row = rows[limit - 1] if len(rows) > limit else None
    after = to_cursor([(last_row.sent_at - _EPOCH) // MICROSECOND, str(last_row.pk)]) if last_row else None
    return Page(rows[:limit], after)


def _beyond(us: int, last: str, side: str) -> Q:
    try:
        at, row = _EPOCH + us * MICROSECOND, UUID(last)
    except (ValueError, OverflowError) as error:
        raise BadCursor("cursor") from error
    return Q(**{f"sent_at__{side}": at}) | Q(sent_at=at, **{f"id__{side}": row})


def narrowed(speaker: Speaker, asked: Asked) -> Q:
    wanted = state_is(asked.state)
    if speaker.agents:
        mine = [parties.party(speaker.workspace_id, each) for each in speaker.agents]
        sides = (parties.is_(side, each) for side in ("sender", "receiver") for each in mine)
        wanted &= reduce(or_, sides)
    if asked.sender or asked.receiver:
        sender, receiver = parties.between(speaker.workspace_id, asked.sender, asked.receiver)
        wanted &= parties.is_("sender", sender) if asked.sender else Q()
        wanted &= parties.is_("receiver", receiver) if asked.receiver else Q()
    if asked.run:
        run_id = find_run(speaker.workspace_id, asked.run)
        wanted &= (Q(run=asked.run) | Q(run_id=run_id)) if run_id else Q(run=asked.run)
    if asked.q:
        wanted &= Q(sender__icontains=asked.q) | Q(receiver__icontains=asked.q) | Q(run__icontains=asked.q)
    return wanted


def state_is(state: str) -> Q:
    """As it is now: the sweep may not have come by yet."""
    over = Q(state=Passing.SENT, expires_at__lte=timezone.now())
    if state == "open":
        return Q(state__in=OPEN) & ~over
    if state == Passing.SENT:
        return Q(state=Passing.SENT) & ~over
    if state == Passing.EXPIRED:
        return Q(state=Passing.EXPIRED) | over
    return Q(state=state) if state else Q()
