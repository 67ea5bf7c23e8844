"""Figures of workflows over a time: how long runs take, where their time goes, how far they get.

All read the rollups that settling a run books (`WorkflowMinute`, `WorkflowHour`): runs count by the time they ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Durations:
    """Start to end of the runs that ended, waiting for people included. None where no run ended."""

    workflow: str
    slug: str
    runs: int
    failed: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the elapsed time of the finished runs, from 0 to 1."""

    agents: float
    people: float
    waiting: float


@dataclass(frozen=True, slots=True)
class StepFigure:
    """One kind of step of a workflow, over the finished runs. A step that was started and not finished failed."""

    name: str
    owner: str
    started: int
    finished: int
    failed: int
    wait_p50_ms: float | None
    work_p50_ms: float | None
    wait_p95_ms: float | None
    share_of_elapsed: float | None


@dataclass(frozen=True, slots=True)
class WorkflowLine:
    """One workflow: the shape `Workflow` of the API, and what a row of the list shows besides."""

    slug: str
    name: str
    runs: int
    in_progress: int
    waiting: int
    failed: int
    escalated: int  # runs that asked a person
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    shares: Shares | None
    slowest: StepFigure | None  # the step with the largest share of elapsed time
    steps: list[StepFigure]


@dataclass(frozen=True, slots=True)
class WorkflowDetail:
    line: WorkflowLine
    points: list[float | None]  # median duration, 24 points over the window
    ended: list[int]  # runs that ended, at the same points


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A step and what part of the elapsed time of its workflow's finished runs its work and waiting took."""

    workflow: str
    slug: str
    step: str
    owner: str
    wait_p95_ms: float | None
    work_p95_ms: float | None
    share_of_elapsed: float


def workflows(workspace_id: int, since: datetime, until: datetime, q: str = "") -> list[WorkflowLine]:
    """Every workflow of the workspace by name, also those without a run in the window."""
    raise NotImplementedError


def workflow(workspace_id: int, slug: str, since: datetime, until: datetime) -> WorkflowDetail | None:
    """One workflow by slug, else by name; None when there is none."""
    raise NotImplementedError


def bottlenecks(workspace_id: int, since: datetime, until: datetime, most: int = 5) -> list[Bottleneck]:
    """The steps with the largest share of elapsed time, largest first."""
    raise NotImplementedError


def durations(workspace_id: int, since: datetime, until: datetime) -> list[Durations]:
    """One a workflow that had a run end in the window, most runs first."""
    raise NotImplementedError


def all_durations(workspace_id: int, since: datetime, until: datetime) -> Durations:
    """The same over all workflows together (name and slug "")."""
    raise NotImplementedError
