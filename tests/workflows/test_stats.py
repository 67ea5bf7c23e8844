"""Figures of workflows: how long runs take, where their time goes, how far they get."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.workflows import anatomy, stats
from orchestration.workflows.stats import WorkflowLine
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db


def listed(workspace: Workspace, hours: int = 1, **wanted: Any) -> list[WorkflowLine]:
    now = timezone.now()
    return stats.workflows(workspace.pk, now - timedelta(hours=hours), now, **wanted)


def test_a_workflow_without_runs_knows_nothing(workspace: Workspace) -> None:
    make.workflow(workspace)

    (line,) = listed(workspace)

    assert (line.runs, line.failed, line.in_progress) == (0, 0, 0)
    assert (line.p50_ms, line.shares, line.slowest) == (None, None, None)


def test_durations_are_of_runs_that_ended_in_the_window(workspace: Workspace) -> None:
    flow = make.workflow(workspace)
    make.ended(flow, *[100] * 50, *[1000] * 50, failed=3, asked=2)
    make.ended(flow, 10, at=timezone.now() - timedelta(hours=3))

    (line,) = listed(workspace)

    assert (line.runs, line.failed, line.escalated) == (100, 3, 2)
    assert line.p50_ms == pytest.approx(100, rel=0.13)
    assert line.p90_ms == pytest.approx(1000, rel=0.13)


def test_longer_windows_reach_further_back(workspace: Workspace) -> None:
    flow = make.workflow(workspace)
    for hours in (0, 3, 30):
        make.ended(flow, 10, at=timezone.now() - timedelta(hours=hours))

    assert [listed(workspace, hours)[0].runs for hours in (1, 24, 720)] == [1, 2, 3]


def test_a_line_without_times_tells_the_same_but_for_them(workspace: Workspace) -> None:
    flow = make.workflow(workspace)
    make.ended(flow, 1000, 3000, failed=1, asked=1)
    make.stepped(flow, "search", "crm", n=5, failed=2, work_ms=100, wait_ms=400)

    (whole,), (short,) = listed(workspace), listed(workspace, times=False)

    (step,) = whole.steps
    assert step.work_p95_ms
    bare = replace(step, work_p50_ms=None, work_p95_ms=None, wait_p50_ms=None, wait_p95_ms=None)
    assert short == replace(whole, steps=[bare], slowest=bare)


def test_shares_of_elapsed_time_make_a_whole(workspace: Workspace) -> None:
    make.ended(make.workflow(workspace), 1000, 3000, people_ms=200, waiting_ms=600)

    shares = listed(workspace)[0].shares

    assert shares is not None
    assert (shares.agents, shares.people, shares.waiting) == (0.6, 0.1, 0.3)


def test_what_did_not_finish_had_failed(workspace: Workspace) -> None:
    flow = make.workflow(workspace)
    make.ended(flow, 1000)
    make.stepped(flow, "pay", "payments", n=5, failed=2, work_ms=100, wait_ms=400)

    (step,) = listed(workspace)[0].steps

    assert (step.name, step.owner, step.started, step.finished, step.failed) == ("pay", "payments", 5, 3, 2)
    assert step.work_p50_ms == pytest.approx(100, rel=0.13)
    assert step.wait_p50_ms == pytest.approx(400, rel=0.13)


def test_the_bottleneck_is_the_step_with_the_largest_share_of_elapsed_time(workspace: Workspace) -> None:
    flow, other = make.workflow(workspace), make.workflow(workspace, "Loan")
    make.ended(flow, 1000)
    make.ended(other, 100_000)
    make.stepped(flow, "pay", "payments", work_ms=100, wait_ms=400)
    make.stepped(flow, "look up", "crm", work_ms=300)
    make.stepped(other, "judge", "person", wait_ms=40_000)
    now = timezone.now()

    found = stats.bottlenecks(workspace.pk, now - timedelta(hours=1), now)

    assert [(each.workflow, each.step) for each in found] == [
        ("Refund", "pay"),
        ("Loan", "judge"),
        ("Refund", "look up"),
    ]
    assert [each.share_of_elapsed for each in found] == [0.5, 0.4, 0.3]
    assert found[0].wait_p95_ms == pytest.approx(400, rel=0.13)


def test_steps_side_by_side_take_no_more_than_all_of_the_time(workspace: Workspace) -> None:
    flow = make.workflow(workspace)
    make.ended(flow, 1000)
    make.stepped(flow, "ask", "model", n=4, work_ms=4000)

    assert listed(workspace)[0].steps[0].share_of_elapsed == 1.0


def test_in_progress_counts_what_runs_and_what_waits(workspace: Workspace) -> None:
    for status in ("running", "waiting", "waiting", "completed", "stalled"):
        make.run(workspace, status=status)
    make.run(workspace, status="running", merged_into=make.run(workspace).id)

    (line,) = listed(workspace)

    assert (line.in_progress, line.waiting) == (3, 2)


def test_workflows_of_another_workspace_are_not_listed(workspace: Workspace) -> None:
    make.ended(make.workflow(make.workspace("elsewhere")), 5)

    assert listed(workspace) == []


def test_a_workflow_is_found_by_slug_and_by_name(workspace: Workspace) -> None:
    flow = make.workflow(workspace, "Loan approval")
    make.ended(flow, 10, 20)
    now = timezone.now()

    by_slug = stats.workflow(workspace.pk, "loan-approval", now - timedelta(hours=1), now)
    by_name = stats.workflow(workspace.pk, "Loan approval", now - timedelta(hours=1), now)

    assert by_slug is not None
    assert by_slug == by_name
    assert (sum(by_slug.ended), len(by_slug.points)) == (2, 24)
    assert stats.workflow(workspace.pk, "loan", now - timedelta(hours=1), now) is None


def test_workflows_are_listed_in_as_many_queries_however_many_there_are(
    workspace: Workspace, django_assert_num_queries: Any
) -> None:
    for name in ("A", "B", "C", "D"):
        flow = make.workflow(workspace, name)
        make.ended(flow, 10)
        make.stepped(flow, "pay", "payments", work_ms=5)

    with django_assert_num_queries(5):  # workflows, hours to read by minutes, figures, names of steps, in progress
        lines = listed(workspace, hours=24)

    assert [len(line.steps) for line in lines] == [1, 1, 1, 1]


def test_all_workflows_together_are_one_distribution(workspace: Workspace) -> None:
    make.ended(make.workflow(workspace, "A"), 10, 10)
    make.ended(make.workflow(workspace, "B"), 1000, failed=1)
    now = timezone.now()

    every = stats.all_durations(workspace.pk, now - timedelta(hours=1), now)

    assert (every.runs, every.failed) == (3, 1)
    assert every.p50_ms == pytest.approx(10, rel=0.13)


def test_a_step_that_seldom_waits_is_told_by_all_the_times_that_it_worked(workspace: Workspace) -> None:
    flow, now = make.workflow(workspace), timezone.now()
    make.ended(flow, *[10_000] * 4)
    for wait_ms in (0, 0, 0, 4000):
        step = make.stepped(flow, "check", "desk", work_ms=1000, wait_ms=wait_ms)

    (figure,) = listed(workspace)[0].steps
    (line,) = anatomy.trends(workspace.pk, flow.pk, (now - timedelta(hours=1), now + timedelta(minutes=1))).values()

    assert figure.id == step.id
    assert figure.wait_p50_ms is not None
    assert figure.wait_p50_ms < 1
    assert figure.wait_p95_ms == pytest.approx(4000, rel=0.13)
    assert [ms for ms in line if ms is not None] == [2000]
