"""Agents that wait for a verdict, together: one query every `PAUSE_S` for all of them, however many they are. Who waits
costs a future in the event loop, and neither a thread nor a database connection.

Whatever is due and was not yet applied is applied from here too, so that a verdict comes with the workers away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import structlog

from orchestration.api.pool import Connection, Pool, Unavailable
from orchestration.api.refusals import Full
from orchestration.holds.told import SHOWN

PAUSE_S = 0.4
MOST = 5_000  # of one process
MOST_OF_KEY = 1_000  # so that nobody takes all places

Row = dict[str, Any]
log = structlog.get_logger(__name__)

COLUMNS = ", ".join(SHOWN)
_DUE = "state = 'decided' and apply_at <= now() or state = 'open' and due_at <= now() and on_timeout = 'reject'"
_ENDED = (
    f"select ({_DUE}) is true, {COLUMNS} from holds_hold "
    f"where id = any(%s) and (state not in ('open', 'decided') or ({_DUE}))"
)


class WaitingRoom:
    """`apply_due` applies what is due, off the event loop."""

    def __init__(self, pool: Pool, apply_due: Callable[[], Awaitable[object]]) -> None:
        self._pool, self._apply_due = pool, apply_due
        self._waiting: dict[UUID, set[asyncio.Future[Row]]] = {}
        self._of_key: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.looks = 0  # queries so far

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def wait(self, hold_id: UUID, key_id: int, seconds: float, gone: asyncio.Future[Any]) -> Row | None:
        """The hold once it has ended; None when the time is over or `gone` is done. Raises Full."""
        mine = self._of_key.get(key_id, 0)
        if mine >= MOST_OF_KEY or len(self) >= MOST:
            raise Full
        ended: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._of_key[key_id] = mine + 1
        self._waiting.setdefault(hold_id, set()).add(ended)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({ended, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave(hold_id, key_id, ended)
        return ended.result() if ended.done() else None

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _leave(self, hold_id: UUID, key_id: int, ended: asyncio.Future[Row]) -> None:
        together = self._waiting.get(hold_id, set())
        together.discard(ended)
        if not together:
            self._waiting.pop(hold_id, None)
        self._of_key[key_id] -= 1
        if not self._of_key[key_id]:
            del self._of_key[key_id]

    async def _watch(self) -> None:
        """As long as anybody waits."""
        while self._waiting:
            await asyncio.sleep(PAUSE_S)
            try:
                if await self._look():
                    await self._apply_due()
                    await self._look()
            except Unavailable:  # the next look may find it again; who waits is answered when the time is over
                continue
            except Exception:
                log.exception("looking_for_verdicts_failed")

    async def _look(self) -> bool:
        """Tell those whose hold has ended. Whether something is due that nobody has applied yet."""
        ids = list(self._waiting)
        if not ids:
            return False
        self.looks += 1

        async def look(connection: Connection) -> list[tuple[Any, ...]]:
            return await (await connection.execute(_ENDED, [ids])).fetchall()

        due = False
        for is_due, *values in await self._pool.run(look):
            row = dict(zip(SHOWN, values, strict=True))
            due = due or is_due
            for ended in () if is_due else self._waiting.get(row["id"], ()):
                if not ended.done():
                    ended.set_result(row)
        return due
