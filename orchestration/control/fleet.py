"""Who is at work: agents with their state, and the systems they act upon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from orchestration.lib.money import Money
from orchestration.workflows.runs import Tokens

STATES = ("working", "waiting", "idle", "held", "silent", "quarantined")
AGENT_SORTS = ("name", "state", "last_seen", "calls", "failures", "failure_rate", "cost", "p95_ms")
SYSTEM_SORTS = ("name", "calls", "failures", "failure_rate", "p95_ms")
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Current:
    """What an agent was last seen at, while that run is not over."""

    run: UUID
    step: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class SystemUse:
    """An agent's calls of one system. `kind` tells a language model from any other system."""

    slug: str
    system: str
    kind: str  # system | model
    calls: int
    failures: int
    interval: Interval | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class AgentLine:
    """One agent: the shape `Agent` of the API (its `id` is the slug)."""

    id: str
    name: str
    application: str
    environment: str
    kind: str
    state: str
    current: Current | None
    last_seen: datetime | None
    version: str
    runs: int
    calls: int
    failures: int
    failure_rate: float | None
    interval: Interval | None
    spans: int
    errors: int
    tokens: Tokens
    cost: Money | None
    p50_ms: float | None  # of the agent's turns; of its calls where it has no turns
    p95_ms: float | None
    systems: list[SystemUse]


@dataclass(frozen=True, slots=True)
class KindUse:
    """An agent's calls of one kind: llm, tool, retrieval, embedding."""

    kind: str
    calls: int
    failures: int
    interval: Interval | None
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class AgentDetail:
    agent: AgentLine
    kinds: list[KindUse]
    calls: list[int]  # 24 points over the window
    failures: list[int]


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


def agents(
    workspace_id: int, window: timedelta, now: datetime, q: str = "", state: str = "", sort: str = ""
) -> list[AgentLine]:
    """All agents that fit. `sort` is one of AGENT_SORTS ("" is by name), figures largest first;
    `failure_rate` by the lower bound of its interval."""
    raise NotImplementedError


def agent(workspace_id: int, slug: str, window: timedelta, now: datetime) -> AgentDetail | None:
    """One agent by slug, else by `application/name` or a name that only one has; None when there is none."""
    raise NotImplementedError


def systems(
    workspace_id: int, window: timedelta, now: datetime, q: str = "", kind: str = "", sort: str = ""
) -> list[SystemLine]:
    """All systems and models that fit (`kind`: system | model | "")."""
    raise NotImplementedError


def system(workspace_id: int, slug: str, window: timedelta, now: datetime) -> SystemDetail | None:
    raise NotImplementedError


def census(workspace_id: int, now: datetime) -> Census:
    """Counts of agents by state."""
    raise NotImplementedError
