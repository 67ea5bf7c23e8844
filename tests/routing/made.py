"""Small functions by which tests of routing make figures."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from orchestration.registry.models import Agent, System
from orchestration.routing.measure import measure_one
from orchestration.routing.models import Cell
from orchestration.telemetry.rollups import SPANS, Tally, book
from orchestration.workspaces.models import Workspace
from tests import make


def record(agent: Agent, system: System, n: int, failures: int, at: datetime | None = None) -> None:
    """Calls, spread over the twenty hours before a quarter of an hour ago."""
    last, tally = (at or timezone.now()) - timedelta(minutes=15), Tally(SPANS)
    for hour in range(20):
        calls = n // 20 + (hour < n % 20)
        bad = failures // 20 + (hour < failures % 20)
        at = last - timedelta(hours=hour)
        make.calls(agent.workspace, agent, n=calls, failures=bad, on=system, at=at, into=tally)
    book(agent.workspace_id, tally)


def measured(space: Workspace) -> list[Cell]:
    measure_one(space.pk, timezone.now())
    return list(Cell.objects.filter(workspace=space).order_by("agent_id"))
