"""Sends what is due.

1. claim    few messages of each endpoint, so that a slow one holds up no other; a lease and a fencing number
2. post     several at once, outside of any transaction
3. finish   only by whoever still holds the lease: done, failed (with the next try's time), or dead

Killed at any point, a message is sent again when its lease ends; the receiver knows it by its id. One process sends at
a time, so that slow receivers never take all workers.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from django.db import connection
from django.utils import timezone

from orchestration.outbox import endpoints, mail, webhooks
from orchestration.outbox.endpoints import SecretLost
from orchestration.outbox.models import Endpoint, Message, State
from orchestration.outbox.webhooks import Letter, Outcome

# seconds before each further try: about a day in all
PAUSES_S = (5, 30, 120, 300, 900, 1800, 3600, 7200, 14400, 21600, 36000)
JITTER = 0.2
LEASE_S = 30  # longer than a claim takes when nobody answers; who died is given up after it
OF_ONE, AT_ONCE = 4, 32  # messages of an endpoint, and of all, in one claim
THREADS = 8
BUDGET_S = 8.0  # after which a task claims no more
KEPT, KEPT_DEAD = timedelta(days=7), timedelta(days=30)
LOCK = 0x6F757462  # "outb"

_DUE = (
    "select m.id from outbox_endpoint e cross join lateral ("
    "  select id from outbox_message where endpoint_id = e.id and state in ('pending', 'claimed', 'failed') "
    f"  and due_at <= statement_timestamp() order by due_at limit {OF_ONE} for update skip locked) m limit {AT_ONCE}"
)
_ONE = "select id from outbox_message where id = %s and state <> 'done' for update skip locked"
_CLAIM = (
    "with due as materialized ({}) update outbox_message m "
    "set state = 'claimed', fence = m.fence + 1, attempts = m.attempts + 1, "
    "due_at = statement_timestamp() + interval '" + str(LEASE_S) + " s' "
    "from due, outbox_endpoint e where m.id = due.id and e.id = m.endpoint_id "
    "returning m.id, m.fence, m.attempts, m.event, m.created_at, m.data::text, "
    "e.url, e.salt, e.check_sum, e.former_salt, e.former_until"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    id: UUID
    fence: int
    attempts: int
    letter: Letter
    url: str
    secret: tuple[str, str, str, datetime | None]  # salt, check, former salt and its end


def deliver() -> int:
    """Send what is due; returns how many messages were tried."""
    tried, until = 0, time.monotonic() + BUDGET_S
    with _alone() as alone:
        while alone and time.monotonic() < until:
            claimed = _claim(_DUE, [])
            if not claimed:
                break
            _send(claimed)
            tried += len(claimed)
    return tried


def deliver_one(message_id: UUID) -> None:
    """Send one now, whoever else is sending."""
    _send(_claim(_ONE, [message_id]))


def retry(workspace_id: int, message_id: UUID | None = None) -> int:
    """Send again what was given up or waits for its next try; all that was given up where none is named."""
    found = Message.objects.filter(workspace_id=workspace_id)
    wanted = found.filter(state=State.DEAD) if message_id is None else found.filter(pk=message_id)
    return wanted.filter(state__in=[State.DEAD, State.FAILED]).update(
        state=State.PENDING, attempts=0, due_at=timezone.now(), ended_at=None
    )


def forget_old() -> int:
    """Delivered ones after a week, given up ones after a month."""
    now = timezone.now()
    done = Message.objects.filter(state=State.DONE, ended_at__lt=now - KEPT).delete()[0]
    return done + Message.objects.filter(state=State.DEAD, ended_at__lt=now - KEPT_DEAD).delete()[0]


def pause_after(attempts: int, again_s: float = 0.0) -> timedelta | None:
    """How long to wait after so many tries; None: no further one. A receiver's own wish counts where it is longer."""
    if attempts > len(PAUSES_S):
        return None
    pause = PAUSES_S[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  not a secret
    return timedelta(seconds=max(pause, again_s))


def waiting(endpoint: Endpoint) -> int:
    """How many messages have still to be delivered."""
    open_states = [State.PENDING, State.CLAIMED, State.FAILED]
    return Message.objects.filter(endpoint=endpoint, state__in=open_states).count()


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [LOCK])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s)", [LOCK])


def _claim(due: str, values: list[UUID]) -> list[Claimed]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM.format(due), values)
        rows = cursor.fetchall()
    return [
        Claimed(row[0], row[1], row[2], Letter(row[0], row[3], row[4], orjson.loads(row[5])), row[6], row[7:])
        for row in rows
    ]


def _send(claimed: list[Claimed]) -> None:
    if not claimed:
        return
    with ThreadPoolExecutor(min(THREADS, len(claimed)), thread_name_prefix="webhook") as threads:
        for each, outcome in zip(claimed, threads.map(_post, claimed), strict=True):
            _finish(each, outcome)


def _post(claimed: Claimed) -> Outcome:
    """In a thread, without the database."""
    if mail.is_mail(claimed.url):
        return mail.send(claimed.url, claimed.letter)
    try:
        secrets = endpoints.signing(*claimed.secret)
    except SecretLost:
        return Outcome(None, "Its secret was lost with Baton's own: make a new one.")
    return webhooks.post(claimed.url, secrets, claimed.letter)


def _finish(claimed: Claimed, outcome: Outcome) -> None:
    now = timezone.now()
    pause = None if outcome.ok else pause_after(claimed.attempts, outcome.again_s)
    state = State.DONE if outcome.ok else State.FAILED if pause else State.DEAD
    Message.objects.filter(pk=claimed.id, fence=claimed.fence, state=State.CLAIMED).update(
        state=state,
        status=outcome.status,
        error=outcome.error[:200],
        took_ms=outcome.took_ms,
        due_at=now + (pause or timedelta()),
        ended_at=None if pause else now,
    )
