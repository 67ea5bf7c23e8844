"""The doors' own connections to PostgreSQL: few, asynchronous, apart from Django's, so that ingest and decisions never
wait for a page. Whatever happens to the database, an answer comes within `LIMIT_S`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
import structlog
from django.db import connection as django_connection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

LIMIT_S = 2.5
AWAY_S = 1.0  # for so long nobody waits for a server that has refused connections; then one tries
STATEMENT_MS = 2000
SIZE = 4

T = TypeVar("T")
Connection = psycopg.AsyncConnection[tuple[Any, ...]]
log = structlog.get_logger(__name__)


class Unavailable(Exception):
    """The database cannot be used now; the work may or may not have been done."""


class Pool:
    """Opened by the doors at start-up and closed by them; both may do so."""

    def __init__(self) -> None:
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._left: set[asyncio.Task[Any]] = set()  # work that outlived its request
        self._away_until = 0.0

    async def open(self) -> None:
        if self._pool is None:
            self._pool = AsyncConnectionPool(
                kwargs=_arguments(),
                min_size=1,
                max_size=SIZE,
                timeout=LIMIT_S,
                reconnect_timeout=LIMIT_S,  # then the next request tries anew, instead of ever longer pauses
                configure=_configure,
                open=False,
                name="doors",
            )
            await self._pool.open()

    async def close(self) -> None:
        pool, self._pool, self._away_until = self._pool, None, 0.0
        if pool is not None:
            await pool.close()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """The result of `work` on a connection. It must be safe to do twice: a connection may break after the commit.

        Raises Unavailable when the database does not answer in time; what was begun then ends by itself, since
        cancelling a query on a server that hangs would hang too. Where it has just refused connections, at once.
        """
        clock, refused, left = asyncio.get_running_loop().time, self._refused(), 0.0
        if clock() < self._away_until:
            raise Unavailable
        if self._away_until:
            self._away_until = clock() + LIMIT_S + AWAY_S  # this one tries, and nobody else meanwhile
        try:
            return await self._done(work)
        except Unavailable:
            if self._refused() > refused:
                left = clock() + AWAY_S
            raise
        finally:
            self._away_until = left

    async def _done(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        task = asyncio.ensure_future(self._on_living(work))
        done, _ = await asyncio.wait({task}, timeout=LIMIT_S)
        if not done:
            self._left.add(task)
            task.add_done_callback(self._forget)
            raise Unavailable
        try:
            return task.result()
        except psycopg.Error as error:  # psycopg_pool's are of this family too
            if not isinstance(error, psycopg.OperationalError):
                log.exception("database_refused")
            raise Unavailable from error

    async def _on_living(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """After a restart of the server each pooled connection turns out to be dead once."""
        for _ in range(SIZE + 1):
            pool = self._pool
            if pool is None:
                raise PoolClosed("not open")
            async with pool.connection() as connection:
                try:
                    return await work(connection)
                except psycopg.OperationalError:
                    if not connection.broken:
                        raise
        raise PoolTimeout("no living connection")

    def _refused(self) -> int:
        """How often a connection could not be made."""
        return self._pool.get_stats().get("connections_errors", 0) if self._pool else 0

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled() and task.exception():
            log.warning("late_database_work_failed", error=type(task.exception()).__name__)


def parameters() -> dict[str, Any]:
    """What libpq needs to reach Django's database, of which `get_connection_params` also tells Django's own classes."""
    known = django_connection.get_connection_params()
    return {key: value for key, value in known.items() if isinstance(value, str | int) and key != "prepare_threshold"}


async def connect() -> Connection:
    """A connection like the pooled ones, for who keeps it."""
    connection = await psycopg.AsyncConnection.connect(**_arguments())
    await _configure(connection)
    return connection


def _arguments() -> dict[str, Any]:
    return {**parameters(), "autocommit": True, "connect_timeout": 2}


async def _configure(connection: Connection) -> None:
    await connection.execute(f"set statement_timeout = {STATEMENT_MS}")
    await connection.execute("set synchronous_commit = on")


doors = Pool()
