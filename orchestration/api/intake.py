"""What both doors do alike: who sends, how much room there is, the row, and what runs beside the requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from uuid_utils.compat import uuid7

from orchestration.api import auth, counters
from orchestration.api.backlog import Backlog
from orchestration.api.lanes import Lanes
from orchestration.api.pool import Connection, Unavailable, doors
from orchestration.api.quota import quotas
from orchestration.api.refusals import busy, unavailable
from orchestration.lib.memory import keep_little
from orchestration.lib.nudge import Nudge
from orchestration.workspaces.keys import Bearer

AT_ONCE = 2  # requests unpacked, checked and stored at the same time, so that decisions find room beside them
WAIT_S = 2.5
SMALL_BYTES = 32 << 10
LANES = 1
FLUSH_S = 2.0
DIGEST = "orchestration.control.tasks.digest"

log = structlog.get_logger(__name__)

_INSERT = """
insert into telemetry_delivery (workspace_id, id, key, signal, encoding, compression, items, received_at, body)
values (%(workspace)s, %(id)s, %(key)s, %(signal)s, %(encoding)s, %(compression)s, %(items)s, %(received)s, %(body)b)
on conflict do nothing
"""
_TOGETHER = f"with kept as ({_INSERT.replace('%(body)b', '%(body)s')} returning 1) select count(*) from kept"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request ready to be stored."""

    bearer: Bearer
    signal: int
    encoding: str
    compression: str
    body: bytes
    items: int
    received_ns: int

    @property
    def small(self) -> bool:
        """Then it goes in one transaction with others that come at the moment."""
        return len(self.body) <= SMALL_BYTES


def now_ns() -> int:
    """Time of receipt in whole microseconds, as PostgreSQL keeps it: the digest must judge by the very same."""
    return time.time_ns() // 1000 * 1000


class Intake:
    """Lives as long as an event loop. Both doors start and stop the one there is."""

    def __init__(self) -> None:
        self.backlog = Backlog()
        self._lanes = Lanes(_TOGETHER, LANES)
        self.large = asyncio.Lock()  # large bodies are decoded one at a time: each may take ten times its size
        self._nudge = Nudge(DIGEST)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._beside: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        keep_little()
        await doors.open()
        await self._lanes.open()
        for work in (self.backlog.watch, _flush):
            self._beside.append(asyncio.create_task(_forever(work)))
        self._nudge.want()  # opens the way to the broker before the first request needs it

    async def stop(self) -> None:
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await _write_counts()
        await self._lanes.close()
        await doors.close()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Callable[[], None]]:
        """Room to work on a request. What is called to leave it early, since waiting for the disk takes none."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._slots.acquire()
        except TimeoutError:
            raise busy("Too many requests are being stored at the moment.") from None
        taken = [self._slots]

        def leave() -> None:
            if taken:
                taken.pop().release()

        try:
            yield leave
        finally:
            leave()

    async def store(self, parcel: Parcel) -> None:
        """The parcel is safe on disk when this returns. Raises Refused (503) when that is not certain: should it have
        been stored all the same, the client's second try changes nothing."""
        values = {
            "workspace": parcel.bearer.workspace_id,
            "id": uuid7(),
            "key": parcel.bearer.key_id,
            "signal": parcel.signal,
            "encoding": parcel.encoding,
            "compression": parcel.compression,
            "items": parcel.items,
            "received": _EPOCH + timedelta(microseconds=parcel.received_ns // 1000),
            "body": parcel.body,
        }

        async def insert(connection: Connection) -> None:
            await connection.execute(_INSERT, values)

        try:
            if parcel.small:
                await self._lanes.ask(values)
            else:
                await doors.run(insert)
        except Unavailable:
            raise unavailable() from None
        self.backlog.add(parcel.bearer.workspace_id, parcel.items)
        self._nudge.want()


_intake: Intake | None = None


async def startup() -> None:
    global _intake  # noqa: PLW0603  one for the process
    if _intake is None:
        _intake = Intake()
        await _intake.start()


async def shutdown() -> None:
    global _intake
    intake, _intake = _intake, None
    if intake is not None:
        await intake.stop()


def intake() -> Intake:
    if _intake is None:
        raise busy("Baton is starting.")
    return _intake


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("background_work_failed")
            await asyncio.sleep(1)


async def _flush() -> None:
    await asyncio.sleep(FLUSH_S)
    await _write_counts()


async def _write_counts() -> None:
    await counters.flush()
    await auth.flush()
    await quotas.flush()
