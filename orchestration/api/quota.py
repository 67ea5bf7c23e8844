"""What a key, and all keys of a workspace together, may send: spans a second, measured in each process, and bytes a
day, measured across all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from math import ceil

from orchestration.api.pool import Connection, Unavailable, doors
from orchestration.api.refusals import Refused
from orchestration.workspaces.keys import Bearer, Limit

BURST_S = 2.0  # how much of its rate a sender may save up
AGAIN_AT_MOST_S = 60  # clients that wait longer drop what they hold

_BOOK = (
    "insert into workspaces_keyday as t (key_id, day, items, size) "
    "select k, d, i, s from unnest(%s::bigint[], %s::date[], %s::bigint[], %s::bigint[]) as x(k, d, i, s) "
    "where exists (select 1 from workspaces_apikey a where a.id = k) order by 1, 2 "
    "on conflict (key_id, day) do update set items = t.items + excluded.items, size = t.size + excluded.size "
    "returning key_id, day, size"
)
_TOGETHER = (
    "select a.workspace_id, d.day, sum(d.size)::bigint from workspaces_keyday d "
    "join workspaces_apikey a on a.id = d.key_id "
    "where d.day = any(%s) and a.workspace_id in (select workspace_id from workspaces_apikey where id = any(%s)) "
    "group by 1, 2"
)


class Of(StrEnum):
    """Who sends, as the refusal calls it."""

    KEY = "This key"
    WORKSPACE = "This workspace"


Sender = tuple[Of, int]


class Quotas:
    """A bucket a sender that fills at its rate. A request is let in while the buckets are not empty and may leave them
    in debt: how many spans it brings is known only after it was read."""

    def __init__(self) -> None:
        self._buckets: dict[Sender, tuple[float, float]] = {}  # spans left, when
        self._days: dict[tuple[Sender, date], int] = {}  # bytes by all processes, when last booked
        self._unbooked: dict[tuple[int, int, date], list[int]] = {}  # key, workspace, day → items, bytes since then

    def check(self, bearer: Bearer) -> None:
        """Raises Refused (429) for a sender that has used up what it may."""
        day = _day()
        for sender, limit in _limits(bearer):
            if limit.spans_per_second is not None:
                left = self._left(sender, limit.spans_per_second)
                if left <= 0:
                    wait = ceil((1 - left) / max(limit.spans_per_second, 1))
                    raise _over(f"{sender[0]} may send {limit.spans_per_second} spans a second.", wait)
            if limit.bytes_per_day is not None and self._sent(sender, day) >= limit.bytes_per_day:
                raise _over(f"{sender[0]} may send {limit.bytes_per_day} bytes a day.", AGAIN_AT_MOST_S)

    def spend(self, bearer: Bearer, items: int, size: int) -> None:
        day = _day()
        for sender, limit in _limits(bearer):
            if limit.spans_per_second is not None:
                left = self._left(sender, limit.spans_per_second)
                self._buckets[sender] = left - items, time.monotonic()
        row = self._unbooked.setdefault((bearer.key_id, bearer.workspace_id, day), [0, 0])
        row[0] += items
        row[1] += size

    async def flush(self) -> None:
        """Book what was sent, and learn what other processes have booked."""
        if not self._unbooked:
            return
        booked = {place: (items, size) for place, (items, size) in self._unbooked.items()}
        try:
            sent = await _book([(key, day, *sums) for (key, _, day), sums in booked.items()])
        except Unavailable:
            return
        self._days = {place: size for place, size in self._days.items() if place[1] == _day()} | sent
        for place, (items, size) in booked.items():
            row = self._unbooked[place]
            row[0], row[1] = row[0] - items, row[1] - size
            if row == [0, 0]:
                del self._unbooked[place]

    def _left(self, sender: Sender, rate: int) -> float:
        most = max(rate * BURST_S, 1.0)
        left, at = self._buckets.get(sender, (most, time.monotonic()))
        return min(most, left + (time.monotonic() - at) * rate)

    def _sent(self, sender: Sender, day: date) -> int:
        """Bytes of the day: booked by all processes, and not booked yet by this one."""
        place = int(sender[0] is Of.WORKSPACE)
        unbooked = sum(row[1] for of, row in self._unbooked.items() if of[place] == sender[1] and of[2] == day)
        return self._days.get((sender, day), 0) + unbooked


def _limits(bearer: Bearer) -> Iterator[tuple[Sender, Limit]]:
    yield (Of.KEY, bearer.key_id), bearer.limit
    yield (Of.WORKSPACE, bearer.workspace_id), bearer.together


async def _book(sent: list[tuple[int, date, int, int]]) -> dict[tuple[Sender, date], int]:
    """Key, day, items, bytes are added to the keys' days; answers the days' bytes, of keys and of their workspaces."""
    columns = [list(column) for column in zip(*sent, strict=True)]

    async def book(connection: Connection) -> dict[tuple[Sender, date], int]:
        keys = await (await connection.execute(_BOOK, columns)).fetchall()
        both = await (await connection.execute(_TOGETHER, [columns[1], columns[0]])).fetchall()
        of_keys = {((Of.KEY, key), day): size for key, day, size in keys}
        return of_keys | {((Of.WORKSPACE, workspace), day): size for workspace, day, size in both}

    return await doors.run(book)


def _day() -> date:
    return datetime.now(UTC).date()


def _over(detail: str, wait: int) -> Refused:
    return Refused(429, "quota", detail, retry_after=max(1, min(wait, AGAIN_AT_MOST_S)))


quotas = Quotas()
