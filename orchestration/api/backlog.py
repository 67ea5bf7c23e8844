"""How much waits to be digested. Without a bound the door would acknowledge many times what can be digested, lag would
grow without end and decisions would starve; so beyond it senders are told to come back in a second."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from django.conf import settings

from orchestration.api import counters
from orchestration.api.pool import Connection, Unavailable, doors
from orchestration.api.refusals import busy, unavailable

POLL_S = 0.1
IDLE_POLL_S = 1.0

WAITING = (
    "select coalesce(sum(items), 0), min(received_at) from "
    "(select items, received_at from telemetry_delivery where poisoned_at is null limit 5000) x"
)


class Backlog:
    """What waits, as last seen, and what this process has added since."""

    def __init__(self) -> None:
        self.items = 0
        self.reachable = True  # whether the database answered when last asked
        self._asked_at = 0.0  # when somebody last wanted to send

    def check(self) -> None:
        """Raises Refused (503) when there is no point in reading a request."""
        self._asked_at = time.monotonic()
        if not self.reachable:
            raise unavailable()
        if self.items > settings.INGEST_BACKLOG:
            raise busy("More is waiting than can be digested in good time.")

    async def watch(self) -> None:
        """One look and the pause after it, which is longer while nobody sends."""
        await self.look()
        idle = time.monotonic() - self._asked_at > IDLE_POLL_S
        await asyncio.sleep(IDLE_POLL_S if idle and self.reachable else POLL_S)

    async def look(self) -> None:
        async def ask(connection: Connection) -> tuple[int, datetime | None]:
            row = await (await connection.execute(WAITING)).fetchone()
            return (int(row[0]), row[1]) if row else (0, None)

        try:
            self.items, oldest = await doors.run(ask)
        except Unavailable:
            self.reachable = False
            return
        self.reachable = True
        counters.show_backlog(self.items, oldest, datetime.now(UTC))
