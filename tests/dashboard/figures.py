"""Figures of an overview at rest, for tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboard.period import Period
from orchestration.control.health_figures import SpanFlow
from orchestration.control.overview import FailingAgent, HoldFigures, Overview
from orchestration.control.points import Points
from orchestration.control.states import Census
from orchestration.control.yesterday import Before
from orchestration.workflows.stats import Bottleneck, Durations, WorkflowLine

EMPTY = Durations("", "", 0, 0, None, None, None)
POINTS = Points([0] * 24, [0.0] * 24, [0] * 24, [None] * 24, [None] * 24, [None] * 24)
QUIET = Overview(
    window="24h",
    as_of=datetime(2026, 11, 22, tzinfo=UTC),
    active_agents=2,
    agents=Census(working=2, waiting=0, idle=1, held=0, silent=0, quarantined=0),
    runs_in_progress=3,
    bottlenecks=[],
    failing_agents=[],
    durations=[],
    holds=HoldFigures(0, None),
    spans=SpanFlow(10, 10, 0, 40.0),
    runs_waiting=0,
    runs_ended=replace(EMPTY, runs=60, failed=2, p50_ms=1_000, p90_ms=3_000, p99_ms=9_000),
    workflows=[],
    points=POINTS,
    before=None,
)
WORST = FailingAgent("refund", "shop-refund", "shop", 20, 100, 0.2, (0.13, 0.29))
SLOW = Bottleneck("Loan", "loan", "credit check", "people", 13_200_000.0, 60_000.0, 0.43, 1)
BEFORE = Before(60, 2, 1_000.0, 3_000.0, None, None, None, [])


def period(text: str = "24h") -> Period:
    units = {"h": "hours", "d": "days"}
    return Period(text, timedelta(**{units[text[-1]]: int(text[:-1])}), datetime(2026, 11, 22, tzinfo=UTC), ())


def line(name: str, runs: int, failed: int = 0) -> WorkflowLine:
    return WorkflowLine(1, name.lower(), name, runs, 0, 0, failed, 0, None, None, None, None, None, None, [])
