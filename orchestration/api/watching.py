"""Long polls, together: one query every `PAUSE_S` for all who wait for something of one kind, however many they are.
Who waits costs a future in the event loop, and neither a thread nor a database connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Any, Generic, TypeVar

import structlog

from orchestration.api.pool import Connection, Pool, Unavailable
from orchestration.api.refusals import Full

PAUSE_S = 0.3
MOST = 5_000  # of one process
MOST_OF_KEY = 1_000  # so that nobody takes all places

K = TypeVar("K", bound=Hashable)
log = structlog.get_logger(__name__)


class Watch(Generic[K]):
    """`look` tells which of the things that are waited for have come about. Whoever is woken reads for itself."""

    def __init__(self, pool: Pool, look: Callable[[Connection, Collection[K]], Awaitable[Collection[K]]]) -> None:
        self._pool, self._look = pool, look
        self._waiting: dict[K, set[asyncio.Future[None]]] = {}
        self._of_key: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.looks = 0  # queries so far

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def wait(self, thing: K, key_id: int, seconds: float, gone: asyncio.Future[Any]) -> bool:
        """Whether it came about before the time was over or `gone` was done. Raises Full."""
        mine = self._of_key.get(key_id, 0)
        if mine >= MOST_OF_KEY or len(self) >= MOST:
            raise Full
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._of_key[key_id] = mine + 1
        self._waiting.setdefault(thing, set()).add(came)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({came, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave(thing, key_id, came)
        return came.done()

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _leave(self, thing: K, key_id: int, came: asyncio.Future[None]) -> None:
        together = self._waiting.get(thing, set())
        together.discard(came)
        if not together:
            self._waiting.pop(thing, None)
        self._of_key[key_id] -= 1
        if not self._of_key[key_id]:
            del self._of_key[key_id]

    async def _watch(self) -> None:
        """As long as anybody waits."""
        while self._waiting:
            await asyncio.sleep(PAUSE_S)
            try:
                await self._tell()
            except Unavailable:  # the next look may find it again; who waits is answered when the time is over
                continue
            except Exception:
                log.exception("watching_failed")

    async def _tell(self) -> None:
        things = list(self._waiting)
        if not things:
            return
        self.looks += 1
        for thing in await self._pool.run(lambda connection: self._look(connection, things)):
            for came in self._waiting.get(thing, ()):
                if not came.done():
                    came.set_result(None)
