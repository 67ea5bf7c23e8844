"""What agents act upon: systems and language models, and how often they fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.control.usage import Interval
from orchestration.lib.money import Money
from orchestration.workflows.runs import Tokens

SYSTEM_SORTS = ("name", "calls", "failures", "failure_rate", "p95_ms")


@dataclass(frozen=True, slots=True)
class SystemUser:
    """One agent's calls of a system; slug and name are "" for calls outside any agent."""

    slug: str
    agent: str
    application: str
    calls: int
    failures: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class SystemLine:
    id: str
    name: str
    kind: str  # system | model
    provider: str
    calls: int
    failures: int
    failure_rate: float | None
    interval: Interval | None
    tokens: Tokens
    cost: Money | None
    p50_ms: float | None
    p95_ms: float | None
    agents: int


@dataclass(frozen=True, slots=True)
class SystemDetail:
    system: SystemLine
    users: list[SystemUser]
    calls: list[int]  # 24 points over the window
    failures: list[int]


def systems(
    workspace_id: int, window: timedelta, now: datetime, q: str = "", kind: str = "", sort: str = ""
) -> list[SystemLine]:
    """All systems and models that fit (`kind`: system | model | "")."""
    raise NotImplementedError


def system(workspace_id: int, slug: str, window: timedelta, now: datetime) -> SystemDetail | None:
    raise NotImplementedError
