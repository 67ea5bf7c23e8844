"""The five answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.control.overview import Overview, overview
from orchestration.telemetry.models import Delivery, Intake, Signal
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db


def answers(workspace: Workspace, hours: int = 1) -> Overview:
    return overview(workspace.pk, timedelta(hours=hours), timezone.now())


def delivery(workspace: Workspace, items: int, **fields: Any) -> Delivery:
    values = {"signal": Signal.TRACES, "encoding": "protobuf", "compression": "", "body": b"x"} | fields
    return Delivery.objects.create(workspace=workspace, id=uuid7(), items=items, **values)


def test_an_empty_workspace_has_five_answers_and_no_figure_that_nobody_knows(workspace: Workspace) -> None:
    found = answers(workspace)

    assert (found.window, found.active_agents, found.runs_in_progress) == ("1h", 0, 0)
    assert [*found.bottlenecks, *found.failing_agents, *found.durations] == []
    assert (found.holds.per_100_runs, found.spans.lag_ms, found.before) == (None, None, None)
    assert found.runs_ended.p50_ms is None
    assert found.points.agents == [0] * 24
    assert found.points.p50_ms == found.points.failure_rate == found.points.wait_ms == [None] * 24


def test_fails_most_is_ordered_by_what_is_sure(workspace: Workspace) -> None:
    make.calls(workspace, make.agent(workspace, "unlucky"), n=29, failures=28)  # too few for a rate
    make.calls(workspace, make.agent(workspace, "small"), n=30, failures=19)
    make.calls(workspace, make.agent(workspace, "bad"), n=100, failures=60)
    make.calls(workspace, make.agent(workspace, "good"), n=100)

    found = answers(workspace)

    assert [(each.agent, each.failures, each.calls) for each in found.failing_agents] == [
        ("bad", 60, 100),
        ("small", 19, 30),
        ("unlucky", 28, 29),
    ]
    assert found.failing_agents[0].failure_rate == 0.6
    assert [rate for rate in found.points.failure_rate if rate is not None] == [0.6]


def test_the_worst_bottleneck_comes_first_with_its_course(workspace: Workspace) -> None:
    flow = make.workflow(workspace)
    make.ended(flow, 1000)
    make.stepped(flow, "pay", "payments", wait_ms=500)
    make.stepped(flow, "look up", "crm", work_ms=200)

    found = answers(workspace)

    assert [each.step for each in found.bottlenecks] == ["pay", "look up"]
    assert [wait for wait in found.points.wait_ms if wait] == [pytest.approx(500, rel=0.13)]


def test_holds_are_runs_that_wait_and_how_many_of_a_hundred_asked(workspace: Workspace) -> None:
    make.ended(make.workflow(workspace), *[10] * 8, asked=2)
    make.run(workspace, status="waiting")
    make.run(workspace, status="running")

    found = answers(workspace)

    assert (found.holds.open, found.holds.per_100_runs) == (1, 25.0)
    assert (found.runs_in_progress, found.runs_waiting) == (2, 1)


def test_spans_are_counted_by_receipt(workspace: Workspace) -> None:
    now = timezone.now()
    Intake.objects.create(workspace=workspace, at=now, requests=4, accepted=100, digested=80, lag_ms=600)
    Intake.objects.create(
        workspace=workspace, at=now - timedelta(hours=2), requests=1, accepted=7, digested=7, lag_ms=9
    )
    delivery(workspace, 30)
    delivery(workspace, 5, poisoned_at=now)
    delivery(workspace, 9, signal=Signal.LOGS)
    delivery(make.workspace("elsewhere"), 1000)

    found = answers(workspace).spans

    assert (found.accepted, found.digested, found.backlog, found.lag_ms) == (135, 80, 30, 150.0)


def test_the_same_hour_a_day_before_is_told_only_where_data_goes_back_that_far(workspace: Workspace) -> None:
    now, flow = timezone.now(), make.workflow(workspace)
    make.ended(flow, 10, 10, at=now - timedelta(hours=24, minutes=30))
    make.ended(flow, 20)
    make.run(workspace, flow, started_at=now - timedelta(hours=24, minutes=40))

    young = answers(workspace).before
    make.run(workspace, flow, started_at=now - timedelta(hours=26))
    old = answers(workspace).before

    assert young is None
    assert old is not None
    assert (old.runs, old.failure_rate) == (2, None)
    assert old.p50_ms == pytest.approx(10, rel=0.13)


def test_of_more_than_a_day_the_window_before_is_compared(workspace: Workspace) -> None:
    now, flow = timezone.now(), make.workflow(workspace)
    make.ended(flow, 10, at=now - timedelta(days=9))
    make.ended(flow, 10, at=now - timedelta(days=15))
    make.run(workspace, flow, started_at=now - timedelta(days=20))

    found = answers(workspace, hours=7 * 24).before

    assert found is not None
    assert found.runs == 1


def test_a_workflow_whose_p90_has_doubled_is_named(workspace: Workspace) -> None:
    now, slow, same = timezone.now(), make.workflow(workspace, "Loan"), make.workflow(workspace, "Refund")
    for flow in (slow, same):
        make.ended(flow, *[100] * 40, at=now - timedelta(hours=24, minutes=30))
    make.ended(slow, *[400] * 40)
    make.ended(same, *[110] * 40)
    make.run(workspace, slow, started_at=now - timedelta(days=3))

    found = answers(workspace).before

    assert found is not None
    assert [each.workflow for each in found.slower] == ["Loan"]


def test_agents_heard_of_are_counted_once_in_each_part(workspace: Workspace) -> None:
    now, refund = timezone.now(), make.agent(workspace)
    for on in ("crm", "payments"):
        make.calls(workspace, refund, on=make.system(workspace, on), at=now - timedelta(minutes=30))
    make.calls(workspace, make.agent(workspace, "billing"), at=now - timedelta(minutes=30))

    points = answers(workspace).points

    assert (max(points.agents), sum(points.agents)) == (2, 2)


def test_another_workspace_changes_nothing(workspace: Workspace) -> None:
    other = make.workspace("elsewhere")
    make.calls(other, make.agent(other), n=5, failures=5)
    make.ended(make.workflow(other), 10)
    make.run(other, status="running")
    make.pulse(make.agent(other), timezone.now())

    found = answers(workspace)

    assert (found.agents.all, found.runs_in_progress, found.runs_ended.runs) == (0, 0, 0)
    assert [*found.failing_agents, *found.durations] == []


def test_the_answers_cost_a_fixed_number_of_queries(workspace: Workspace, django_assert_max_num_queries: Any) -> None:
    for name in "abcdef":
        make.calls(workspace, make.agent(workspace, name), n=3, failures=1)
        flow = make.workflow(workspace, name)
        make.ended(flow, 10)
        make.stepped(flow, "pay", "payments", wait_ms=5)

    with django_assert_max_num_queries(22):
        found = answers(workspace, hours=24)

    assert len(found.durations) == 6
    assert len(found.failing_agents) == len(found.bottlenecks) == 5
