"""How Baton itself is doing with a workspace's data: taken, stored, refused and why, waiting, kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SpanFlow:
    """By receipt: acknowledged (repeats included), stored as new rows, acknowledged and not yet digested."""

    accepted: int
    digested: int
    backlog: int
    lag_ms: float | None  # mean, receipt to digested, of the requests digested in the window


@dataclass(frozen=True, slots=True)
class RefusalLine:
    reason: str
    n: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class PoisonedLine:
    """A delivery that could not be digested: its facts, never its content."""

    id: UUID
    received_at: datetime
    poisoned_at: datetime
    signal: str  # traces | logs | events
    encoding: str
    items: int
    size: int  # bytes as stored
    attempts: int
    fault: str


@dataclass(frozen=True, slots=True)
class StorageLine:
    """Disk space of one kind of data, of all workspaces together: tables are shared."""

    kind: str  # spans | logs | minute figures | hour figures | runs | deliveries
    bytes: int
    rows: int  # PostgreSQL's estimate
    oldest: date | None  # of the oldest day that has a partition with rows
    keep_days: int | None


@dataclass(frozen=True, slots=True)
class Health:
    flow: SpanFlow
    oldest_waiting_s: float | None
    refused: int
    refusals: list[RefusalLine]  # most first
    poisoned: list[PoisonedLine]
    storage: list[StorageLine]
    accepted: list[int]  # 24 points over the window
    digested: list[int]
    late_runs: int  # runs that got spans after they had ended


def health(workspace_id: int, window: timedelta, now: datetime) -> Health:
    """Figures of the health page."""
    raise NotImplementedError


def flow(workspace_id: int, window: timedelta, now: datetime) -> SpanFlow:
    """The same counts as the overview has."""
    raise NotImplementedError
