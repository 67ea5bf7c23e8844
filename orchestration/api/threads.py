"""A door's own few threads for work on Django's connection, so that it never waits for a page and no page for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, connections

from orchestration.api.pool import Unavailable
from orchestration.api.refusals import busy

COUNT = 4
MOST_WAITING = 400
LIMIT_S = 8.0

T = TypeVar("T")


class Threads:
    def __init__(self, name: str) -> None:
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises Unavailable when the database does not answer, and Refused (503) when
        too many wait already."""
        if self._waiting >= MOST_WAITING:
            raise busy("Too many ask at the moment.")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(COUNT, thread_name_prefix=self._name)
        self._waiting += 1
        try:
            task = asyncio.get_running_loop().run_in_executor(self._pool, _kept, work)
            return await asyncio.wait_for(task, LIMIT_S)
        except (TimeoutError, OperationalError, InterfaceError) as error:
            raise Unavailable from error
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Each thread closes its own connection, which no other may."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        together = threading.Barrier(COUNT)

        def end() -> None:
            together.wait(LIMIT_S)
            connections.close_all()

        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, end) for _ in range(COUNT)), return_exceptions=True)
        pool.shutdown(wait=False)


def _kept(work: Callable[[], T]) -> T:
    """The connection is kept, since making one costs more than the work does; one that died is made anew."""
    connection.close_at = None
    connection.close_if_unusable_or_obsolete()
    return work()
