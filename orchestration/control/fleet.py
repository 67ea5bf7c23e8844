"""Who is at work: agents, what state they are in, and what they did in a window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.control.states import Current
from orchestration.control.usage import Interval
from orchestration.lib.money import Money
from orchestration.workflows.runs import Tokens

AGENT_SORTS = ("name", "state", "last_seen", "calls", "failures", "failure_rate", "cost", "p95_ms")


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


def agents(
    workspace_id: int, window: timedelta, now: datetime, q: str = "", state: str = "", sort: str = ""
) -> list[AgentLine]:
    """All agents that fit. `sort` is one of AGENT_SORTS ("" is by name), figures largest first;
    `failure_rate` by the lower bound of its interval."""
    raise NotImplementedError


def agent(workspace_id: int, slug: str, window: timedelta, now: datetime) -> AgentDetail | None:
    """One agent by slug, else by `application/name` or a name that only one has; None when there is none."""
    raise NotImplementedError
