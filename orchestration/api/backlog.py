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

HARD = 2  # times the bound: beyond it everybody is told to come back

WAITING = (
    "select workspace_id, sum(items), min(received_at) from "
    "(select workspace_id, items, received_at from telemetry_delivery where poisoned_at is null limit 5000) x "
    "group by workspace_id"
)


class Backlog:
    """What waits, as last seen, and what this process has added since. Beyond the bound those are refused who have
    more waiting than their equal share of it, so that a noisy workspace does not shut the door for the others: their
    turn comes all the same, since the digest takes workspaces in turn."""

    def __init__(self) -> None:
        self.items = 0
        self._of: dict[int, int] = {}  # workspace → items
        self.reachable = True  # whether the database answered when last asked
        self._asked_at = 0.0  # when somebody last wanted to send

    def check(self, workspace_id: int) -> None:
        """Raises Refused (503) when there is no point in reading a request."""
        self._asked_at = time.monotonic()
        if not self.reachable:
            raise unavailable()
        most = settings.INGEST_BACKLOG
        if self.items > most and (self.items > HARD * most or self._of.get(workspace_id, 0) >= most / len(self._of)):
            raise busy("More is waiting than can be digested in good time.")

    def add(self, workspace_id: int, items: int) -> None:
        self.items += items
        self._of[workspace_id] = self._of.get(workspace_id, 0) + items

    async def watch(self) -> None:
        """One look and the pause after it, which is longer while nobody sends."""
        await self.look()
        idle = time.monotonic() - self._asked_at > IDLE_POLL_S
        await asyncio.sleep(IDLE_POLL_S if idle and self.reachable else POLL_S)

    async def look(self) -> None:
        async def ask(connection: Connection) -> list[tuple[int, int, datetime]]:
            return [(of, int(n), at) for of, n, at in await (await connection.execute(WAITING)).fetchall()]

        try:
            waiting = await doors.run(ask)
        except Unavailable:
            self.reachable = False
            return
        self.reachable = True
        self._of = {of: items for of, items, _ in waiting}
        self.items, oldest = sum(self._of.values()), min((at for _, _, at in waiting), default=None)
        counters.show_backlog(self.items, oldest, datetime.now(UTC))
