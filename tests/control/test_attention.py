"""What needs somebody, and in which order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.control.attention import Item, asks_most, attention
from orchestration.telemetry.models import Delivery, Signal
from orchestration.workflows import stats
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db


def needs(workspace: Workspace) -> list[Item]:
    return attention(workspace.pk, timezone.now())


def kinds(workspace: Workspace) -> list[tuple[str, str, int]]:
    return [(item.kind, item.subject, item.count) for item in needs(workspace)]


def test_a_workspace_where_all_is_well_needs_nobody(workspace: Workspace) -> None:
    busy = make.agent(workspace)
    make.pulse(busy, timezone.now(), gaps=[0, 200])
    make.calls(workspace, busy, n=100, failures=3, on=make.system(workspace))
    make.run(workspace)
    make.run(workspace, status="running")

    assert needs(workspace) == []


def test_runs_that_wait_for_a_person_are_told_by_workflow_with_the_longest_wait(workspace: Workspace) -> None:
    now, loan = timezone.now(), make.workflow(workspace, "Loan")
    for minutes in (3, 40):
        make.run(workspace, loan, status="waiting", ended_at=now - timedelta(minutes=minutes))
    make.run(workspace, make.workflow(workspace, "Refund"), status="waiting")

    loan_waits, refund_waits = needs(workspace)

    assert (loan_waits.kind, loan_waits.subject, loan_waits.count) == ("asked", "Loan", 2)
    assert loan_waits.since == now - timedelta(minutes=40)
    assert refund_waits.subject == "Refund"


def test_runs_that_stalled_within_a_day_are_told(workspace: Workspace) -> None:
    make.run(workspace, status="stalled")
    make.run(workspace, status="stalled", started_at=timezone.now() - timedelta(days=2))

    assert kinds(workspace) == [("stalled", "Refund", 1)]


def test_an_agent_is_silent_after_more_than_its_own_99th_percentile_gap(workspace: Workspace) -> None:
    now = timezone.now()
    hasty, slow = make.agent(workspace, "hasty"), make.agent(workspace, "slow")
    make.pulse(hasty, now - timedelta(minutes=5), gaps=[0, 200], step="look up")  # usually within 2 s
    make.pulse(slow, now - timedelta(minutes=5), gaps=[0] * 10 + [200])  # usually within 17 min

    (item,) = needs(workspace)

    assert (item.kind, item.subject, item.detail) == ("silent", "hasty", "look up")
    assert item.since == now - timedelta(minutes=5)


def test_many_silent_agents_are_told_together_and_those_of_last_week_not_at_all(workspace: Workspace) -> None:
    now = timezone.now()
    for place, name in enumerate(("a", "b", "c")):
        make.pulse(make.agent(workspace, name), now - timedelta(minutes=5 + place), gaps=[0, 200])
    make.pulse(make.agent(workspace, "gone"), now - timedelta(days=6), gaps=[0, 200])

    (item,) = needs(workspace)

    assert (item.kind, item.subject, item.count, item.since) == ("silent", "", 3, now - timedelta(minutes=7))


def test_a_failing_system_is_told_once_as_the_cause_and_not_for_each_of_its_agents(workspace: Workspace) -> None:
    payments, crm = make.system(workspace, "payments"), make.system(workspace, "crm")
    for name in ("refund", "billing"):
        make.calls(workspace, make.agent(workspace, name), n=40, failures=20, on=payments)
        make.calls(workspace, make.agent(workspace, name), n=40, on=crm)

    (item,) = needs(workspace)

    assert (item.kind, item.subject, item.count, item.of, item.agents) == ("system", "payments", 40, 80, 2)


def test_an_agent_that_fails_everywhere_is_told_itself(workspace: Workspace) -> None:
    bad, good = make.agent(workspace, "bad"), make.agent(workspace, "good")
    for name in ("payments", "crm"):
        make.calls(workspace, bad, n=30, failures=10, on=make.system(workspace, name))
        make.calls(workspace, good, n=300, on=make.system(workspace, name))

    assert kinds(workspace) == [("agent", "bad", 20)]


def test_few_failures_and_those_of_hours_ago_need_nobody(workspace: Workspace) -> None:
    make.calls(workspace, make.agent(workspace), n=10, failures=10, on=make.system(workspace))
    earlier = timezone.now() - timedelta(hours=3)
    make.calls(workspace, make.agent(workspace), n=100, failures=90, on=make.system(workspace), at=earlier)

    assert needs(workspace) == []


def test_a_workflow_whose_runs_fail_is_told(workspace: Workspace) -> None:
    make.ended(make.workflow(workspace), *[10] * 40, failed=20)

    assert kinds(workspace) == [("workflow", "Refund", 20)]


def test_data_that_waits_to_be_shown_is_told(workspace: Workspace) -> None:
    Delivery.objects.create(
        workspace=workspace,
        id=uuid7(),
        items=70,
        received_at=timezone.now() - timedelta(seconds=90),
        signal=Signal.TRACES,
        encoding="protobuf",
        compression="",
        body=b"x",
    )

    assert kinds(workspace) == [("late", "", 70)]


def test_what_holds_up_most_comes_first(workspace: Workspace) -> None:
    now = timezone.now()
    make.pulse(make.agent(workspace, "hasty"), now - timedelta(minutes=5), gaps=[0, 200])
    for _ in range(3):
        make.run(workspace, make.workflow(workspace, "Loan"), status="waiting")
    for _ in range(2):
        make.run(workspace, status="stalled")
    make.calls(workspace, make.agent(workspace, "busy"), n=40, failures=20, on=make.system(workspace))

    assert [item.kind for item in needs(workspace)] == ["system", "asked", "stalled", "silent"]
    assert [item.held_up for item in needs(workspace)] == [20, 3, 2, 1]


def test_the_workflow_that_asks_people_most_is_found_where_enough_runs_ended(workspace: Workspace) -> None:
    now = timezone.now()
    make.ended(make.workflow(workspace, "Loan"), *[10] * 40, asked=20)
    make.ended(make.workflow(workspace, "Refund"), *[10] * 40, asked=5)
    make.ended(make.workflow(workspace, "Rare"), *[10] * 25, asked=25)

    most = asks_most(stats.workflows(workspace.pk, now - timedelta(hours=1), now))

    assert most is not None
    assert (most.subject, most.count, most.of) == ("Loan", 20, 40)
    assert asks_most([]) is None


def test_what_others_have_to_do_is_not_told_here(workspace: Workspace) -> None:
    other = make.workspace("elsewhere")
    make.run(other, status="waiting")
    make.run(other, status="stalled")
    make.pulse(make.agent(other), timezone.now() - timedelta(minutes=5), gaps=[0, 200])
    make.calls(other, make.agent(other), n=40, failures=40, on=make.system(other))
    make.ended(make.workflow(other), *[10] * 40, failed=40, asked=40)

    assert needs(workspace) == []
