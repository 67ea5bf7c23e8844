"""History from files, through the same digest as what arrives: in batches that are stored whole or not at all.

The file is the journal. A batch commits with its figures; whoever is killed reads the file again from the start, and
what is there already changes nothing. Spans are told apart by their ids and start, steps by their run and name.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection
from uuid_utils.compat import uuid7

from orchestration.control import settling
from orchestration.control.digest import MIXED, take_in
from orchestration.control.trouble import trouble
from orchestration.lib.collector import paused
from orchestration.telemetry.deliveries import IMPORTED, Waiting
from orchestration.telemetry.models import Signal
from orchestration.telemetry.rollups import roll_hours
from orchestration.workflows.booking import TABLES
from orchestration.workspaces.models import Workspace

BATCH_ITEMS = 8_000
BATCH_BYTES = 8 << 20
TRIES = 5
SOON_S = 15.0  # traces due later than this were put off: long runs, and those that cannot be told
PAUSE_S = 0.1


@dataclass(slots=True)
class Done:
    """What was taken so far: spans or events; and how many spans, or steps and runs, of them are `new`."""

    items: int = 0
    new: int = 0


class Importer:
    """Takes spans as lines of `neutral`, or events as `/api/v1/events` has them, into one workspace."""

    def __init__(self, workspace: Workspace, signal: Signal) -> None:
        self.workspace, self.signal = workspace, signal
        self.done = Done()
        self._held: list[bytes] = []
        self._size = 0

    def add(self, item: bytes) -> None:
        """One line, or one event as JSON. Stored when enough have come together, or by `flush`."""
        self._held.append(item)
        self._size += len(item)
        if len(self._held) >= BATCH_ITEMS or self._size >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._held:
            return
        body = b"\n".join(self._held)
        if self.signal == Signal.EVENTS:
            body = b'{"events":[' + b",".join(self._held) + b"]}"
        spans, steps = _stored(self.workspace.pk, self._waiting(body))
        self.done.items += len(self._held)
        self.done.new += spans + steps
        self._held, self._size = [], 0

    def _waiting(self, body: bytes) -> Waiting:
        """As the door would have stored it. Nobody's key: whoever runs a command vouches for what it brings."""
        return Waiting(uuid7(), None, self.signal, IMPORTED, "", len(self._held), datetime.now(UTC), body)


def _stored(workspace_id: int, delivery: Waiting) -> tuple[int, int]:
    """A batch that got mixed up with what arrives at the same time is tried again."""
    for _ in range(TRIES - 1):
        try:
            return take_in(workspace_id, delivery)
        except Exception as error:
            if trouble(error) not in MIXED:
                raise
    return take_in(workspace_id, delivery)


def unsettled(workspace_id: int, received: datetime) -> int:
    """Traces heard of until `received` that still have to be told as runs, and soon will be."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from workflows_trace where workspace_id = %s and received_at <= %s "
            "and due_at <= now() + make_interval(secs => %s)",
            [workspace_id, received, SOON_S],
        )
        return int(cursor.fetchone()[0])


def settle_all(workspace_id: int, tell: Callable[[int], None]) -> None:
    """Have every imported trace told as a run, by ourselves or by a worker that is quicker; `tell` hears how many are
    left. Then the hours are added up, which otherwise the clock would do."""
    received = datetime.now(UTC)
    with paused():
        while left := unsettled(workspace_id, received):
            tell(left)
            if not settling.settle(workspace_id):
                time.sleep(PAUSE_S)
            gc.collect(0)
    roll_hours(TABLES)
