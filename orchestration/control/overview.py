"""The five answers: who is at work, what is in progress, what is slow, what fails, how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.control import health_figures, held, usage
from orchestration.control.health_figures import SpanFlow
from orchestration.control.points import Points, points
from orchestration.control.states import Census, Signs, census
from orchestration.control.usage import Course, Interval, Use
from orchestration.control.yesterday import Before, before
from orchestration.lib.stats import ENOUGH
from orchestration.lib.window import window_text
from orchestration.registry.models import Agent
from orchestration.workflows import paces, stats
from orchestration.workflows.models import Measure, RunStatus
from orchestration.workflows.paces import NOTHING, Pace
from orchestration.workflows.stats import Bottleneck, Durations, WorkflowLine

MOST_FAILING = 5


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
    cases: int = 0  # of the open ones, those in the inbox


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
    workflows: list[WorkflowLine]  # whose steps tell shares and counts, and no times
    points: Points
    before: Before | None


def overview(workspace_id: int, window: timedelta, now: datetime, signs: Mapping[int, Signs] | None = None) -> Overview:
    """The five answers for `window` until `now`; of `signs_of` where they are known."""
    since = now - window
    states = census(workspace_id, now, signs)
    progress = stats.in_progress(workspace_id)
    waiting = sum(n for (_, status), n in progress.items() if status == RunStatus.WAITING)
    rows = paces.rows_between(workspace_id, since, now)
    booked = paces.in_sums(rows)
    lines = stats.lines(workspace_id, booked, progress)
    whole = paces.together(booked)
    slow = stats.timed(stats.bottlenecks_of(lines), rows)
    courses = usage.courses(workspace_id, (since, now))
    failing = _failing(courses)
    worst = failing[0][0] if failing else None
    return Overview(
        window=window_text(window),
        as_of=now,
        active_agents=states.active,
        agents=states,
        runs_in_progress=sum(progress.values()),
        bottlenecks=slow,
        failing_agents=_named(workspace_id, failing),
        durations=stats.durations_of(lines),
        holds=_holds(workspace_id, (since, now), whole, waiting),
        spans=health_figures.flow(workspace_id, window, now),
        runs_waiting=waiting,
        runs_ended=stats.durations_in(whole),
        workflows=lines,
        points=points(workspace_id, (since, now), slow[0] if slow else None, courses, worst),
        before=before(workspace_id, since, now, worst, lines),
    )


def _failing(courses: Mapping[int, Course]) -> list[tuple[int, Use]]:
    """Agents with failures; first the one whose rate is surely high: by the lower bound of its interval. Those of which
    too few calls are known for a rate come after, as no page tells one of them."""
    uses = [(agent_id, Use(sum(course.calls), sum(course.failures))) for agent_id, course in courses.items()]
    found = [(agent_id, use) for agent_id, use in uses if use.failures and use.interval]
    return sorted(found, key=_by_failures)[:MOST_FAILING]


def _by_failures(pair: tuple[int, Use]) -> tuple[bool, float, int, int]:
    agent_id, use = pair
    return use.n < ENOUGH, -(use.interval or (0, 0))[0], -use.failures, agent_id


def _named(workspace_id: int, failing: list[tuple[int, Use]]) -> list[FailingAgent]:
    rows = (
        Agent.objects.filter(workspace_id=workspace_id).select_related("application").in_bulk([i for i, _ in failing])
    )
    return [
        FailingAgent(rows[i].name, rows[i].slug, rows[i].application.name, use.failures, use.n, use.rate, use.interval)
        for i, use in failing
        if i in rows and use.rate is not None and use.interval is not None
    ]


def _holds(workspace_id: int, when: tuple[datetime, datetime], whole: Mapping[int, Pace], waiting: int) -> HoldFigures:
    """What people are asked, be it by a hold or by a run that was seen to wait; one that does both counts once."""
    ended, seen = whole.get(Measure.DURATION, NOTHING).n, whole.get(Measure.ESCALATED, NOTHING).n
    asked = seen + held.opened(workspace_id, *when)
    per_100 = 100 * asked / ended if ended else None
    return HoldFigures(held.waiting(workspace_id, waiting), per_100, held.cases(workspace_id))
