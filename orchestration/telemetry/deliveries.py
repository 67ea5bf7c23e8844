"""The queue of received requests: claimed by workspace, taken away in the transaction that stores what was in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

BATCH = 1_000  # deliveries in one transaction: with one, PostgreSQL costs about twice as much a span
# In as many requests of 20 spans, too. A third of what may wait, so that two processes have their batches and the door
# has room. With 12,000 the rows of figures cost PostgreSQL a fifth of all that it does.
BATCH_ITEMS = 20_000
BATCH_BYTES = 16 << 20  # of bodies as stored
# Where so many items have waited for so long, younger ones are left to wait as well: more spans of their traces may be
# on the way, and what is stored before it can be told is read and written again when it can. Where fewer have, all are
# taken: to rest would cost more than that.
RESTED_ITEMS, RESTED_S = 5_000, 0.5
SUSPECT_S = 120  # waiting for longer than this while others go by: perhaps it kills its worker
TRIES = 3
KEEP_POISONED_DAYS = 7
HISTORY = "history"  # encoding of events whose sender may tell of decisions made elsewhere
IMPORTED = "import"  # encoding of what a command brings: lines of `neutral`, or events of any age
_RESTED = f"received_at <= now() - interval '{RESTED_S} s'"
_CLAIMABLE = f"poisoned_at is null and attempts = 0 and received_at > now() - interval '{SUSPECT_S} s'"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claimed delivery. `received_at` is the server's time of receipt."""

    id: UUID
    key: int | None
    signal: int
    encoding: str
    compression: str
    items: int
    received_at: datetime
    body: bytes


def workspaces_waiting() -> list[int]:
    """Workspaces with something to digest, in random order, so that none is always last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select w.id from workspaces_workspace w where exists (select 1 from telemetry_delivery d "
            "where d.workspace_id = w.id and d.poisoned_at is null) order by random()"
        )
        return [row[0] for row in cursor]


def oldest_s() -> float:
    """For how many seconds the oldest delivery has waited that nobody suspects; 0 when none waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(extract(epoch from now() - min(received_at)), 0) from telemetry_delivery "
            "where poisoned_at is null and attempts = 0"
        )
        return float(cursor.fetchone()[0])


def claim(workspace_id: int) -> list[Waiting]:
    """Lock up to `BATCH` deliveries, oldest first; none twice, whoever else claims. Call inside a transaction.

    As many are locked as make one batch of those that wait longest, so that another process finds its own behind
    them; bodies are read of as many as do make one, should those be locked already and these be larger. Where
    enough has `RESTED_S` behind it, only that."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"with oldest as (select id, items, {_RESTED} as rested from telemetry_delivery where workspace_id = %(w)s "
            f"and {_CLAIMABLE} order by id limit {BATCH}), "
            "waiting as materialized (select * from telemetry_delivery where workspace_id = %(w)s "
            f"and {_CLAIMABLE} and ({_RESTED} or (select coalesce(sum(items) filter (where rested), 0) from oldest) "
            f"< {RESTED_ITEMS}) order by id limit (select greatest(1, count(*)) from (select sum(items) "
            f"over (order by id) as upto from oldest) o where upto <= {BATCH_ITEMS}) for update skip locked), "
            "sized as (select *, row_number() over upto as place, sum(items) over upto as all_items, "
            "sum(octet_length(body)) over upto as all_bytes from waiting window upto as (order by id)) "
            "select id, key, signal, encoding, compression, items, received_at, body from sized "
            f"where place = 1 or all_items <= {BATCH_ITEMS} and all_bytes <= {BATCH_BYTES} order by id",
            {"w": workspace_id},
        )
        return [_waiting(row) for row in cursor]


def pick_suspect(workspace_id: int) -> UUID | None:
    """A delivery that failed before or has waited strangely long, to be tried alone. The try is counted and committed
    before it is made, so that one which kills its worker is set aside too; None when there is no such delivery."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update telemetry_delivery set attempts = attempts + 1, "
            f"poisoned_at = case when attempts >= {TRIES} then now() end, "
            f"fault = case when attempts >= {TRIES} and fault = '' then 'its worker died' else fault end "
            "where workspace_id = %s and id = (select id from telemetry_delivery where workspace_id = %s "
            f"and poisoned_at is null and (attempts > 0 or received_at <= now() - interval '{SUSPECT_S} s') "
            "order by attempts, id limit 1 for update skip locked) returning id, poisoned_at",
            [workspace_id, workspace_id],
        )
        row = cursor.fetchone()
    return row[0] if row and row[1] is None else None


def claim_one(workspace_id: int, delivery_id: UUID) -> list[Waiting]:
    """Lock that one, if it still waits. Call inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, key, signal, encoding, compression, items, received_at, body from telemetry_delivery "
            "where workspace_id = %s and id = %s and poisoned_at is null for update skip locked",
            [workspace_id, delivery_id],
        )
        return [_waiting(row) for row in cursor]


def _waiting(row: tuple[Any, ...]) -> Waiting:
    return Waiting(row[0], row[1], row[2], row[3], row[4], row[5], row[6], bytes(row[7]))


def done(workspace_id: int, claimed: list[Waiting]) -> None:
    """Take digested deliveries away, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from telemetry_delivery where workspace_id = %s and id = any(%s)",
            [workspace_id, [delivery.id for delivery in claimed]],
        )


def blame(workspace_id: int, claimed: list[Waiting], fault: str) -> None:
    """After a failed try: count it, so that each of these is tried alone from now on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update telemetry_delivery set attempts = greatest(attempts, 1), fault = %s "
            "where workspace_id = %s and id = any(%s)",
            [fault[:200], workspace_id, [delivery.id for delivery in claimed]],
        )


def forgive(workspace_id: int, delivery_id: UUID) -> None:
    """Take back a counted try that failed by no fault of the delivery."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update telemetry_delivery set attempts = greatest(attempts - 1, 0) where workspace_id = %s and id = %s",
            [workspace_id, delivery_id],
        )


def poison(workspace_id: int, delivery: Waiting, fault: str) -> None:
    """Set a delivery aside that cannot be decoded; admins see its facts, never its content."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update telemetry_delivery set poisoned_at = now(), fault = %s where workspace_id = %s and id = %s",
            [fault[:200], workspace_id, delivery.id],
        )


def forget_poisoned() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"delete from telemetry_delivery where poisoned_at < now() - interval '{KEEP_POISONED_DAYS} days'"
        )
        return int(cursor.rowcount)
