"""The five answers: who is at work, what is in progress, what is slow, what fails, how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.control.health_figures import SpanFlow
from orchestration.control.states import Census
from orchestration.control.usage import Interval
from orchestration.workflows.stats import Bottleneck, Durations


@dataclass(frozen=True, slots=True)
class FailingAgent:
    agent: str
    slug: str
    application: str
    failures: int
    calls: int
    failure_rate: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class HoldFigures:
    open: int
    per_100_runs: float | None  # None where no run ended


@dataclass(frozen=True, slots=True)
class Points:
    """24 equal parts of the window, oldest first, one line a tile. None where nothing was there to measure."""

    agents: list[int]  # agents heard of
    ended: list[int]  # runs that ended
    wait_ms: list[float | None]  # p95 wait of the worst bottleneck
    failure_rate: list[float | None]  # of the agent that fails most
    p50_ms: list[float | None]  # start to end


@dataclass(frozen=True, slots=True)
class Before:
    """The window before this one, where data goes back that far."""

    runs: int
    p50_ms: float | None
    failures: int | None  # of the agent that fails most now
    calls: int | None
    failure_rate: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """`GET /api/v1/overview`, and below `spans` what the page's tiles show besides."""

    window: str
    as_of: datetime
    active_agents: int
    agents: Census
    runs_in_progress: int
    bottlenecks: list[Bottleneck]
    failing_agents: list[FailingAgent]
    durations: list[Durations]
    holds: HoldFigures
    spans: SpanFlow
    runs_waiting: int
    runs_ended: Durations  # all workflows together
    points: Points
    before: Before | None


def overview(workspace_id: int, window: timedelta, now: datetime) -> Overview:
    """The five answers for `window` until `now`."""
    raise NotImplementedError
