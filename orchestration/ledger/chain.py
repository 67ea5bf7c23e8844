"""Links waiting entries into the chain. One sequencer at a time (an advisory lock), so whoever causes an entry never
waits for another: entries are inserted freely, and get their place within a second.

1. waiting   entries without a link, oldest first. Most are some moments old, so each second look goes back twice as far
             as the one before, each fourth four times, and so on: who is late waits for a tenth of that longer
2. sealed    an entry that Baton did not write gets no place: `verify` tells of it
3. link      head = SHA-256(head before, digest); 1,024 links make a block, whose root spares later proofs their leaves
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from orchestration.ledger import merkle, seals

LOCK = 0x6C_65_64_67
MOST = 5_000
JUST = timedelta(seconds=10)
LATE = timedelta(hours=1)  # an entry is committed within this time of its making: no transaction of ours lives longer
BLOCK = 1024
_looks = count()
START = hashlib.sha256(b"baton ledger").digest()


def link() -> int:
    """Give waiting entries their places; returns how many. 0 when another sequencer is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
        seq, head = last(cursor)
        waiting = [row for row in _waiting(cursor, seq) if seals.is_sealed(bytes(row[1]), bytes(row[2]))]
        if not waiting:
            return 0
        _insert(cursor, seq, head, waiting)
        _blocks(cursor, seq + len(waiting))
    return len(waiting)


def last(cursor: Any) -> tuple[int, bytes]:
    """The last place and the chain's head there."""
    cursor.execute("select seq, head from ledger_link order by seq desc limit 1")
    row = cursor.fetchone()
    return (int(row[0]), bytes(row[1])) if row else (0, START)


def next_head(head: bytes, digest: bytes) -> bytes:
    return hashlib.sha256(head + digest).digest()


def _waiting(cursor: Any, seq: int) -> list[tuple[UUID, bytes, bytes]]:
    cursor.execute(  # the bound is told twice, or all links that there ever were are read
        "select e.id, e.digest, e.seal from ledger_entry e where e.id > %(since)s and not exists "
        "(select 1 from ledger_link l where l.entry_id = e.id and l.entry_id > %(since)s) order by e.id limit %(most)s",
        {"since": _since(cursor, seq, _back(next(_looks))), "most": MOST},
    )
    return list(cursor.fetchall())


def _back(look: int) -> timedelta:
    """How far the so-manieth look of a process goes back: the first one as far as ever is needed."""
    return min(LATE, JUST * (look & -look)) if look else LATE


def _since(cursor: Any, seq: int, back: timedelta) -> UUID:
    """Ids carry their time (UUIDv7): those before the newest linked one's time less `LATE` have their place."""
    cursor.execute("select entry_id from ledger_link where seq > %s order by entry_id desc limit 1", [seq - 100])
    row = cursor.fetchone()
    return UUID(int=max(0, (row[0].int >> 80) - int(back.total_seconds() * 1000)) << 80) if row else UUID(int=0)


def first_id(at: datetime) -> UUID:
    """The least UUIDv7 of a moment."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def _insert(cursor: Any, seq: int, head: bytes, waiting: Sequence[tuple[UUID, bytes, bytes]]) -> None:
    heads = []
    for _, digest, _ in waiting:
        head = next_head(head, bytes(digest))
        heads.append(head)
    cursor.execute(
        "insert into ledger_link (seq, entry_id, digest, head, linked_at) "
        "select s, e, d, h, %s from unnest(%s::bigint[], %s::uuid[], %s::bytea[], %s::bytea[]) x(s, e, d, h)",
        [
            timezone.now(),
            list(range(seq + 1, seq + 1 + len(waiting))),
            [row[0] for row in waiting],
            [bytes(row[1]) for row in waiting],
            heads,
        ],
    )


def _blocks(cursor: Any, size: int) -> None:
    """Roots of the blocks that are full now."""
    cursor.execute("select coalesce(max(number), -1) from ledger_block")
    for number in range(cursor.fetchone()[0] + 1, size // BLOCK):
        cursor.execute(
            "select digest from ledger_link where seq > %s and seq <= %s order by seq",
            [number * BLOCK, (number + 1) * BLOCK],
        )
        top = merkle.root([bytes(row[0]) for row in cursor.fetchall()])
        cursor.execute("insert into ledger_block (number, root) values (%s, %s)", [number, top])


def hashed(start: int, end: int) -> bytes:
    """Root of the leaves from `start` up to `end` (counted from 0), as the tree's functions ask for it: whole blocks by
    their stored roots."""
    first, rest = start // BLOCK, end // BLOCK
    if start % BLOCK == 0 and rest > first:
        with connection.cursor() as cursor:
            cursor.execute(
                "select root from ledger_block where number >= %s and number < %s order by number", [first, rest]
            )
            tops = [bytes(row[0]) for row in cursor.fetchall()]
        if len(tops) == rest - first:
            tail = [merkle.root(_leaves(rest * BLOCK, end))] if end % BLOCK else []
            return merkle.root([*tops, *tail])
    return merkle.root(_leaves(start, end))


def _leaves(start: int, end: int) -> list[bytes]:
    with connection.cursor() as cursor:
        cursor.execute("select digest from ledger_link where seq > %s and seq <= %s order by seq", [start, end])
        return [bytes(row[0]) for row in cursor.fetchall()]
