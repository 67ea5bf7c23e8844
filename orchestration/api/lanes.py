"""A statement or two for many callers at once. Each is prepared once a connection and sent in libpq's pipeline mode,
since what psycopg does around each statement (a place in a pool, a cursor, two turns of the event loop) costs several
times what sending its values does.

Who asks while a connection is at work gathers behind it, and those who gathered go together as one transaction: a slow
disk is waited for once. An error takes all of them back, and each goes again by itself: a bad one hurts no neighbour.
Everybody is answered after the commit of what he asked.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from psycopg import pq
from psycopg.errors import error_from_result

from orchestration.api.pool import LIMIT_S, Connection, Unavailable, connect

SIZE = 2
TOGETHER = 32  # asks in one transaction
LOOK_S = 0.25  # how often those who wait too long are looked for
NAME = "asked"

Row = tuple[bytes | None, ...]
Values = list[bytes | None]
Status = pq.ExecStatus
log = structlog.get_logger(__name__)


class Lost(Exception):
    """The connection broke; whether the statement was carried out is not known."""


@dataclass(slots=True, eq=False)
class _Ask:
    order: str
    name: bytes  # of the statement
    values: Values
    until: float
    answer: asyncio.Future[Row]
    alone: bool = False

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(slots=True)
class _Flight:
    """What was sent and is not answered yet: one transaction."""

    asks: Sequence[_Ask] = ()
    rows: list[Row] = field(default_factory=list)
    error: Exception | None = None


class _Statement:
    """With `places` in the order in which it numbers them."""

    def __init__(self, named: str) -> None:
        self.places: list[str] = []
        self.text = re.sub(r"%\((\w+)\)s", self._numbered, named)

    def _numbered(self, found: re.Match[str]) -> str:
        if found[1] not in self.places:
            self.places.append(found[1])
        return f"${self.places.index(found[1]) + 1}"


class Lane:
    """A connection. `asks` that wait go as soon as the flight before them has landed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection  # whose end would close what it is made of
        self._wire = connection.pgconn
        self._wire.nonblocking = 1
        self._wire.enter_pipeline_mode()
        self._loop = asyncio.get_running_loop()
        self._socket = self._wire.socket
        self._flight = _Flight()
        self._waiting: deque[_Ask] = deque()
        self.living = True
        self._loop.add_reader(self._socket, self._readable)

    def __len__(self) -> int:
        return len(self._flight.asks) + len(self._waiting)

    def put(self, ask: _Ask) -> None:
        self._waiting.append(ask)
        if not self._flight.asks:
            self._go()

    def look(self, now: float) -> None:
        """End what has taken too long. The server stops a statement before that, so one that flies longer than its
        time is the sign of a server that hangs."""
        while self._waiting and self._waiting[0].until < now:
            self._waiting.popleft().fail(Unavailable())
        if any(ask.until < now for ask in self._flight.asks):
            self.end(Unavailable())

    def end(self, error: Exception) -> None:
        """What flies has failed by `error`; what waits was never sent, and is lost in any case."""
        if not self.living:
            return
        self.living = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._wire.finish()
        for ask in self._flight.asks:
            ask.fail(error)
        for ask in self._waiting:
            ask.fail(Lost())

    def _go(self) -> None:
        waiting, going = self._waiting, [self._waiting.popleft()]
        while waiting and len(going) < TOGETHER and not (going[0].alone or waiting[0].alone):
            going.append(waiting.popleft())
        going.sort(key=lambda ask: ask.order)  # two transactions that lock the same keys lock them in the same order
        self._flight = _Flight(going)
        try:
            for ask in going:
                self._wire.send_query_prepared(ask.name, ask.values)
            self._wire.pipeline_sync()
            self._flush()
        except psycopg.OperationalError:
            self.end(Lost())

    def _flush(self) -> None:
        if self._wire.flush():  # more than the socket takes
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        self._loop.remove_writer(self._socket)
        try:
            self._flush()
        except psycopg.OperationalError:
            self.end(Lost())

    def _readable(self) -> None:
        try:
            self._wire.consume_input()
            while self.living and self._flight.asks and not self._wire.is_busy():
                result = self._wire.get_result()
                if result is not None:
                    self._take(result)
        except psycopg.OperationalError:
            self.end(Lost())

    def _take(self, result: pq.abc.PGresult) -> None:
        flight, status = self._flight, result.status
        if status == Status.TUPLES_OK:
            flight.rows.append(tuple(result.get_value(0, place) for place in range(result.nfields)))
        elif status == Status.PIPELINE_SYNC:  # after the commit; what fails there has told so before
            self._land(flight)
        elif status != Status.PIPELINE_ABORTED and flight.error is None:
            flight.error = error_from_result(result)

    def _land(self, flight: _Flight) -> None:
        self._flight = _Flight()
        if flight.error is None:
            for ask, row in zip(flight.asks, flight.rows, strict=True):
                if not ask.answer.done():
                    ask.answer.set_result(row)
        elif len(flight.asks) == 1:
            flight.asks[0].fail(flight.error)
        else:
            for ask in reversed(flight.asks):
                ask.alone = True
                self._waiting.appendleft(ask)
        if self._waiting:
            self._go()


class Lanes:
    """`size` connections for a statement with named places, `%(name)s`, and for `others` by their names."""

    def __init__(self, statement: str, size: int = SIZE, **others: str) -> None:
        self._size = size
        self._statements = {name: _Statement(each) for name, each in {NAME: statement, **others}.items()}
        self._lanes: list[Lane] = []
        self._opening: asyncio.Task[None] | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._open = False

    async def open(self) -> None:
        self._open = True
        with suppress(Unavailable):  # the first ask tries again
            await self._more()

    async def close(self) -> None:
        self._open = False
        if self._opening is not None:
            self._opening.cancel()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            lane.end(Unavailable())

    async def ask(self, values: Mapping[str, Any], order: str = "", name: str = NAME) -> Row:
        """The row of the statement, once it is committed. Those of one transaction go in the `order` given, which has
        to name what they may wait for each other about. It must be safe to do twice: a connection may break after the
        commit. Raises Unavailable."""
        loop, statement = asyncio.get_running_loop(), self._statements[name]
        wanted, until = [_text(values[place]) for place in statement.places], loop.time() + LIMIT_S
        if self._looking is None:
            self._looking = loop.call_later(LOOK_S, self._look)
        for _ in range(self._size + 1):  # after a restart of the server each connection turns out to be dead once
            ask = _Ask(order, name.encode(), wanted, until, loop.create_future())
            (await self._lane(until)).put(ask)
            try:
                return await ask.answer
            except Lost:
                continue
            except psycopg.Error as error:
                if not isinstance(error, psycopg.OperationalError):
                    log.exception("database_refused")
                raise Unavailable from error
        raise Unavailable

    async def _lane(self, until: float) -> Lane:
        lanes = [lane for lane in self._lanes if lane.living]
        if len(lanes) < self._size:
            self._lanes = lanes
            await self._more(None if lanes else until - asyncio.get_running_loop().time())
            lanes = self._lanes
        return min(lanes, key=len)

    async def _more(self, wait_s: float | None = LIMIT_S) -> None:
        """Open what is missing, once for all who want it."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._fill())
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        if wait_s is not None:
            done, _ = await asyncio.wait({self._opening}, timeout=max(0.0, wait_s))
            if not done or self._opening.exception() or not self._lanes:
                raise Unavailable

    async def _fill(self) -> None:
        while self._open and len(self._lanes) < self._size:
            connection = await connect()
            for name, statement in self._statements.items():
                await connection.execute(f"prepare {name} as {statement.text}")
            self._lanes.append(Lane(connection))

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for lane in self._lanes:
            lane.look(loop.time())
        self._looking = loop.call_later(LOOK_S, self._look) if any(map(len, self._lanes)) else None


def _text(value: Any) -> bytes | None:
    """As PostgreSQL reads it."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return None if value is None else str(value).encode()
