"""How Baton itself is doing: taken, refused and why, waiting, set aside, kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.control.health_figures import Health, health
from orchestration.telemetry.models import Intake, Refusal, Signal
from orchestration.workspaces.models import Workspace
from tests import make
from tests.control.test_overview import delivery
from tests.make import Made

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_refused_before(db: None) -> None:
    """What a served application refused in other tests is written when it finds time to."""
    Refusal.objects.all().delete()


def figures(workspace: Workspace) -> Health:
    return health(workspace.pk, timedelta(hours=1), timezone.now())


def refused(workspace_id: int, reason: str, n: int, minutes: int = 0) -> None:
    at = timezone.now() - timedelta(minutes=minutes)
    Refusal.objects.create(workspace_id=workspace_id, at=at, reason=reason, n=n)


def test_a_new_workspace_has_nothing_to_tell(workspace: Workspace) -> None:
    found = figures(workspace)

    assert (found.flow.accepted, found.flow.backlog, found.flow.lag_ms, found.oldest_waiting_s) == (0, 0, None, None)
    assert [*found.refusals, *found.turned_away, *found.poisoned] == []


def test_what_is_refused_is_told_by_reason_most_first(workspace: Workspace) -> None:
    refused(workspace.pk, "too_old", 2)
    refused(workspace.pk, "trace_id", 3, minutes=5)
    refused(workspace.pk, "trace_id", 4, minutes=10)
    refused(workspace.pk, "trace_id", 100, minutes=90)
    refused(make.workspace("elsewhere").pk, "trace_id", 100)

    found = figures(workspace)

    assert [(line.reason, line.n) for line in found.refusals] == [("trace_id", 7), ("too_old", 2)]
    assert found.refused == 9


def test_requests_without_a_usable_key_are_told_apart(workspace: Workspace) -> None:
    refused(0, "unauthorized", 5)

    found = figures(workspace)

    assert (found.refused, [(line.reason, line.n) for line in found.turned_away]) == (0, [("unauthorized", 5)])


def test_what_waits_has_an_age(workspace: Workspace) -> None:
    now = timezone.now()
    delivery(workspace, 10, received_at=now - timedelta(seconds=30))
    delivery(workspace, 20, received_at=now - timedelta(seconds=5))

    found = figures(workspace)

    assert found.flow.backlog == 30
    assert found.oldest_waiting_s == pytest.approx(30, abs=5)


def test_what_was_set_aside_is_told_by_its_facts_alone(workspace: Workspace) -> None:
    now = timezone.now()
    delivery(workspace, 7, poisoned_at=now, fault="not protobuf", signal=Signal.LOGS, attempts=3, body=b"a secret")

    (line,) = figures(workspace).poisoned

    assert (line.signal, line.items, line.size, line.attempts, line.fault) == ("logs", 7, 8, 3, "not protobuf")
    assert "secret" not in repr(line)


def test_storage_is_told_by_kind_with_what_is_kept_of_it(workspace: Workspace) -> None:
    began = timezone.now() - timedelta(days=2)
    make.spans(workspace, b"t" * 16, began, Made("a step"))

    lines = {line.kind: line for line in figures(workspace).storage}

    assert lines["spans"].oldest == began.date()
    assert lines["spans"].bytes > 0
    assert [lines[f"{size} figures"].keep_days for size in ("minute", "hour", "day")] == [30, 400, 400]
    assert (lines["spans"].keep_days, lines["runs"].keep_days, lines["deliveries"].keep_days) == (30, 400, None)


def test_what_came_in_is_told_in_the_course_of_the_window(workspace: Workspace) -> None:
    now = timezone.now()
    for minutes in (1, 40):
        at = now - timedelta(minutes=minutes)
        Intake.objects.create(workspace=workspace, at=at, requests=1, accepted=8, digested=5, lag_ms=10)

    found = figures(workspace)

    assert ([n for n in found.accepted if n], [n for n in found.digested if n]) == ([8, 8], [5, 5])
    assert len(found.accepted) == 24


def test_runs_that_were_revised_are_counted(workspace: Workspace) -> None:
    make.run(workspace, late=True)
    make.run(workspace)

    assert figures(workspace).late_runs == 1


def test_figures_of_health_cost_a_fixed_number_of_queries(workspace: Workspace, django_assert_num_queries: Any) -> None:
    for items in range(5):
        delivery(workspace, items, poisoned_at=timezone.now())

    with django_assert_num_queries(10):
        figures(workspace)
