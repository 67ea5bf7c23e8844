"""What a key may send: spans a second, measured in each process, and bytes a day, measured across all of them."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from math import ceil

from orchestration.api.pool import Connection, Unavailable, doors
from orchestration.api.refusals import Refused
from orchestration.workspaces.keys import Bearer

BURST_S = 2.0  # how much of its rate a key may save up
AGAIN_AT_MOST_S = 60  # clients that wait longer drop what they hold

_BOOK = (
    "insert into workspaces_keyday as t (key_id, day, items, size) "
    "select k, d, i, s from unnest(%s::bigint[], %s::date[], %s::bigint[], %s::bigint[]) as x(k, d, i, s) "
    "where exists (select 1 from workspaces_apikey a where a.id = k) order by 1, 2 "
    "on conflict (key_id, day) do update set items = t.items + excluded.items, size = t.size + excluded.size "
    "returning key_id, day, size"
)


class Quotas:
    """A bucket a key that fills at its rate. A request is let in while the bucket is not empty and may leave it in
    debt: how many spans it brings is known only after it was read."""

    def __init__(self) -> None:
        self._buckets: dict[int, tuple[float, float]] = {}  # key → spans left, when
        self._days: dict[tuple[int, date], int] = {}  # bytes by all processes, when last booked
        self._unbooked: dict[tuple[int, date], list[int]] = {}  # items, bytes since then

    def check(self, bearer: Bearer) -> None:
        """Raises Refused (429) for a key that has used up what it may."""
        if bearer.spans_per_second is not None:
            left = self._left(bearer, bearer.spans_per_second)
            if left <= 0:
                wait = ceil((1 - left) / max(bearer.spans_per_second, 1))
                raise _over(f"This key may send {bearer.spans_per_second} spans a second.", wait)
        if bearer.bytes_per_day is not None and self._today(bearer) >= bearer.bytes_per_day:
            raise _over(f"This key may send {bearer.bytes_per_day} bytes a day.", AGAIN_AT_MOST_S)

    def spend(self, bearer: Bearer, items: int, size: int) -> None:
        if bearer.spans_per_second is not None:
            left = self._left(bearer, bearer.spans_per_second)
            self._buckets[bearer.key_id] = left - items, time.monotonic()
        row = self._unbooked.setdefault((bearer.key_id, _day()), [0, 0])
        row[0] += items
        row[1] += size

    async def flush(self) -> None:
        """Book what was sent, and learn what other processes have booked."""
        if not self._unbooked:
            return
        booked = {key: tuple(row) for key, row in self._unbooked.items()}
        columns = [list(column) for column in zip(*((k, d, i, s) for (k, d), (i, s) in booked.items()), strict=True)]

        async def book(connection: Connection) -> list[tuple[int, date, int]]:
            return list(await (await connection.execute(_BOOK, columns)).fetchall())

        try:
            totals = await doors.run(book)
        except Unavailable:
            return
        self._days = {(key, day): size for key, day, size in totals} | {
            place: size for place, size in self._days.items() if place[1] == _day() and place not in booked
        }
        for place, (items, size) in booked.items():
            row = self._unbooked[place]
            row[0], row[1] = row[0] - items, row[1] - size
            if row == [0, 0]:
                del self._unbooked[place]

    def _left(self, bearer: Bearer, rate: int) -> float:
        most = max(rate * BURST_S, 1.0)
        left, at = self._buckets.get(bearer.key_id, (most, time.monotonic()))
        return min(most, left + (time.monotonic() - at) * rate)

    def _today(self, bearer: Bearer) -> int:
        place = bearer.key_id, _day()
        return self._days.get(place, 0) + self._unbooked.get(place, (0, 0))[1]


def _day() -> date:
    return datetime.now(UTC).date()


def _over(detail: str, wait: int) -> Refused:
    return Refused(429, "quota", detail, retry_after=max(1, min(wait, AGAIN_AT_MOST_S)))


quotas = Quotas()
