"""Agents that wait for work, together: one look every `PAUSE_S` for all of them. Who waits costs a future in the event
loop, and neither a thread nor a database connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog

from orchestration.api.pool import Unavailable
from orchestration.api.refusals import Full
from orchestration.workflows.leases import Want

PAUSE_S = 0.25
MOST = 5_000  # of one process
MOST_OF_KEY = 1_000

Look = Callable[[list[Want]], Awaitable[set[Want]]]
log = structlog.get_logger(__name__)


class Queue:
    """`look` says for which of these something is to do."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._waiting: dict[asyncio.Future[None], frozenset[Want]] = {}
        self._of_key: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, wants: Iterable[Want], key_id: int, seconds: float, gone: asyncio.Future[Any]) -> bool:
        """Whether something may be to do by now. Raises Full."""
        mine = self._of_key.get(key_id, 0)
        if mine >= MOST_OF_KEY or len(self) >= MOST:
            raise Full
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._of_key[key_id] = mine + 1
        self._waiting[called] = frozenset(wants)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({called, gone}, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.pop(called, None)
            self._of_key[key_id] -= 1
            if not self._of_key[key_id]:
                del self._of_key[key_id]
        return called.done()

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while self._waiting:
            await asyncio.sleep(PAUSE_S)
            wanted = sorted(set().union(*self._waiting.values()))
            try:
                found = await self._look(wanted) if wanted else set()
            except Unavailable:  # the next look may find the database again
                continue
            except Exception:
                log.exception("looking_for_work_failed")
                continue
            for called, wants in list(self._waiting.items()):
                if wants & found and not called.done():
                    called.set_result(None)
