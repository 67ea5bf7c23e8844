"""Cells out of the rollups."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from orchestration.routing import limits
from orchestration.routing.limits import May
from orchestration.routing.models import Cell
from orchestration.workspaces.models import Workspace
from tests import make
from tests.routing.made import measured, record


def test_a_cell_counts_the_calls_and_its_interval_holds_their_share(workspace: Workspace) -> None:
    agent, system = make.agent(workspace, "billing"), make.system(workspace, "customer-db")
    record(agent, system, 100, 30)

    (cell,) = measured(workspace)

    assert (cell.n, cell.failures, cell.kind, cell.system) == (100, 30, "tool", system)
    assert cell.low < 0.7 < cell.high


def test_what_is_long_past_counts_for_little(workspace: Workspace) -> None:
    agent, system = make.agent(workspace, "billing"), make.system(workspace, "customer-db")
    record(agent, system, 200, 160, timezone.now() - timedelta(days=28))
    record(agent, system, 200, 10)

    (weekly,) = measured(workspace)
    limits.allow(workspace, May(half_life_days=60), "person:admin")
    (slowly,) = measured(workspace)

    assert weekly.mean > 0.85 > slowly.mean


def test_steps_by_name_are_tasks_of_their_owner(workspace: Workspace) -> None:
    agent, flow = make.agent(workspace, "billing"), make.workflow(workspace)
    make.stepped(flow, "issue refund", "billing", n=50, failed=5)

    measured(workspace)

    cell = Cell.objects.get(workspace=workspace, task="issue refund")
    assert (cell.agent, cell.n, cell.failures, cell.system) == (agent, 50, 5, None)
