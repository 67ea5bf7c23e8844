"""What state each agent is in now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

STATES = ("working", "waiting", "idle", "held", "silent", "quarantined")


@dataclass(frozen=True, slots=True)
class Current:
    """What an agent was last seen at, while that run is not over."""

    run: UUID
    step: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Census:
    """How many agents are in each state now."""

    working: int
    waiting: int
    idle: int
    held: int
    silent: int
    quarantined: int

    @property
    def active(self) -> int:
        return self.working + self.waiting + self.held

    @property
    def all(self) -> int:
        return self.active + self.idle + self.silent + self.quarantined


def census(workspace_id: int, now: datetime) -> Census:
    """Counts of agents by state."""
    raise NotImplementedError
