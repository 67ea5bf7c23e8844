"""Circuits kept: from figures of minutes to rows, receipts, and probes that close them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.ledger.models import Entry
from orchestration.registry.models import Agent, System
from orchestration.routing import circuits
from orchestration.routing.breakers import Heard, Turn, turned
from orchestration.routing.models import Breaker, Circuit
from orchestration.workflows.booking import OFTEN
from orchestration.workspaces.models import Workspace
from tests import make
from tests.telemetry import manifests, replayed

NOW = datetime.now(UTC).replace(second=5, microsecond=0)


@pytest.fixture
def path(workspace: Workspace) -> tuple[Agent, System]:
    return make.agent(workspace, "billing"), make.system(workspace, "customer-db")


def calls(path: tuple[Agent, System], n: int, failures: int, at: datetime) -> None:
    make.calls(path[0].workspace, path[0], n=n, failures=failures, on=path[1], at=at)


def state(workspace: Workspace, seconds: float) -> str:
    circuits.sweep_one(workspace.pk, NOW + timedelta(seconds=seconds))
    row = Breaker.objects.filter(workspace=workspace).first()
    return row.state if row else ""


def test_a_planted_fault_opens_within_a_minute_and_leaves_a_receipt(
    workspace: Workspace, path: tuple[Agent, System]
) -> None:
    for minute in range(1, 10):
        calls(path, 60, 1, NOW - timedelta(minutes=minute))
    assert state(workspace, 0) == ""

    opened = 0
    for second in range(5, 61, 5):  # a call a second, and each fails
        calls(path, 5, 5, NOW + timedelta(seconds=second))
        if state(workspace, second) == Circuit.OPEN:
            opened = second
            break

    assert 0 < opened <= 60
    told = Entry.objects.filter(workspace=workspace.pk, kind="breaker.opened").values_list("actor", flat=True)
    assert list(told) == ["baton:routing"]


def test_an_open_circuit_is_tried_and_closes_by_probes_that_go_well(
    workspace: Workspace, path: tuple[Agent, System]
) -> None:
    calls(path, 30, 30, NOW)

    assert state(workspace, 0) == Circuit.OPEN
    assert state(workspace, 20) == Circuit.OPEN
    assert state(workspace, 31) == Circuit.HALF
    calls(path, 4, 0, NOW + timedelta(seconds=35))
    assert state(workspace, 36) == Circuit.HALF
    calls(path, 1, 0, NOW + timedelta(seconds=38))
    assert state(workspace, 39) == Circuit.CLOSED
    assert state(workspace, 80) == Circuit.CLOSED, "what failed before it closed opens nothing again"


def test_probes_that_fail_open_it_for_longer(workspace: Workspace, path: tuple[Agent, System]) -> None:
    calls(path, 30, 30, NOW)
    state(workspace, 0)
    state(workspace, 31)

    calls(path, 3, 3, NOW + timedelta(seconds=35))

    assert state(workspace, 36) == Circuit.OPEN
    assert state(workspace, 36 + 59) == Circuit.OPEN
    assert state(workspace, 36 + 61) == Circuit.HALF


def test_two_sweeps_at_once_make_one_change(workspace: Workspace, path: tuple[Agent, System]) -> None:
    calls(path, 30, 30, NOW)
    state(workspace, 0)
    row = Breaker.objects.get(workspace=workspace)
    turn = Turn(Circuit.HALF, "Cooled down")
    minute = circuits.Minute(NOW, 0, 0)

    first = circuits.change(workspace.pk, (row.agent_id, row.system_id), row, turn, (NOW, minute))
    second = circuits.change(workspace.pk, (row.agent_id, row.system_id), row, turn, (NOW, minute))

    assert (first, second) == (True, False)


def test_a_quiet_workspace_costs_one_query(workspace: Workspace, django_assert_max_num_queries: object) -> None:
    with django_assert_max_num_queries(2):  # type: ignore[operator]
        circuits.sweep_one(workspace.pk, NOW)


@pytest.mark.parametrize("folder", manifests.FOLDERS)
def test_no_recorded_program_however_busy_is_a_storm(folder: str) -> None:
    """Its real calls, up to ten thousand times as many; one of them tries a timeout again, some fail for good."""
    runs = replayed.stories(replayed.spans(replayed.bodies(manifests.CAPTURES / folder)))
    calls = [(step.attempt, step.failed) for _, story in runs for step in story.placed if step.kind in circuits.CALLS]
    n, failures = len(calls), sum(failed for _, failed in calls)
    again = sum(failed and attempt >= OFTEN for attempt, failed in calls)

    turns = [
        turned(None, Heard(((n * busy, failures * busy),) * 3, 0.0, again * busy), NOW) for busy in (1, 100, 10_000)
    ]

    assert not [turn.words for turn in turns if turn and "storm" in turn.words]
