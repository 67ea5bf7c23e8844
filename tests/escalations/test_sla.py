"""Clocks: set, moved, removed, and rung once each with what follows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from escalations import assigning, intake, sla
from escalations.models import Alarm, Batch, Clock, Escalation
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import User, Workspace
from tests.escalations import held
from tests.escalations.duty import member

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def refund(space: Workspace, *, opened: int = 60, due: int = 60, n: int = 1) -> list[Hold]:
    """Opened so many minutes ago, due in so many."""
    times = {"opened_at": NOW - timedelta(minutes=opened), "due_at": NOW + timedelta(minutes=due)}
    found = held.holds(space, [{"amount": 100 + place} for place in range(n)], **times)
    intake.take_in()
    return found


def alarms(**more: object) -> dict[str, datetime]:
    return {each.alarm: each.at for each in Clock.objects.filter(**more)}


def test_a_case_gets_the_clocks_of_its_deadline(workspace: Workspace) -> None:
    hold = refund(workspace)[0]

    assert sla.wind() == 3
    assert sla.wind() == 0
    assert alarms() == {
        "new": hold.opened_at + timedelta(seconds=5),
        "soon": hold.due_at - timedelta(minutes=30),  # type: ignore[operator]
        "late": hold.due_at,
    }


def test_one_that_came_with_little_time_is_not_told_to_be_due_soon(workspace: Workspace) -> None:
    refund(workspace, opened=1, due=20)

    sla.wind()

    assert set(alarms()) == {"new", "late"}


def test_clocks_move_with_the_deadline_and_leave_with_the_case(workspace: Workspace, reviewer: User) -> None:
    hold = refund(workspace)[0]
    sla.wind()

    later = NOW + timedelta(hours=5)
    Escalation.objects.update(due_at=later)
    sla.wind()
    assert alarms(alarm="late") == {"late": later}
    assert Clock.objects.count() == 3

    verdicts.decide(hold, Verdict(Answered.APPROVE), reviewer, revision=0)
    intake.take_in()
    sla.wind()
    assert Clock.objects.count() == 0


def test_what_is_late_rings_once_leaves_a_receipt_and_asks_again_later(workspace: Workspace) -> None:
    hold = refund(workspace, opened=60, due=-1)[0]

    assert sla.sweep(NOW) == 3  # new, soon, late
    assert sla.sweep(NOW) == 0
    entry = Entry.objects.get(kind="hold.late")
    assert (entry.subject_id, entry.actor) == (str(hold.pk), "baton")
    assert f'"agent":"{hold.agent}"' in str(entry.body)
    share = timedelta(minutes=29, seconds=30)
    assert alarms(alarm="again") == {"again": hold.due_at + share}  # type: ignore[operator]

    assert sla.sweep(NOW + timedelta(minutes=40)) == 1
    assert Entry.objects.filter(kind="hold.late_again").count() == 1


def test_a_deadline_rings_a_few_times_and_then_no_more(workspace: Workspace) -> None:
    refund(workspace, opened=60, due=-1)

    rung = sum(sla.sweep(NOW + timedelta(minutes=20 * step)) for step in range(30))

    assert rung == 3 + sla.AGAIN


def test_rings_missed_while_nothing_ran_come_at_the_next_sweep_and_once(workspace: Workspace) -> None:
    refund(workspace, opened=60, due=60, n=3)
    sla.sweep(NOW)

    assert sla.sweep(NOW + timedelta(days=2)) == 6
    assert sla.sweep(NOW + timedelta(days=2)) == 0


def test_a_case_that_was_decided_rings_for_nobody(workspace: Workspace, reviewer: User) -> None:
    hold = refund(workspace, due=-1)[0]
    sla.wind()
    verdicts.decide(hold, Verdict(Answered.APPROVE), reviewer, revision=0)
    intake.take_in()

    assert sla.ring(NOW) == 0
    assert not Entry.objects.filter(kind="hold.late").exists()


def test_what_is_late_goes_to_whoever_knows_it_better(workspace: Workspace) -> None:
    member(workspace, "ada", refunds=2)
    refund(workspace, due=-1)
    assigning.match()
    eve = member(workspace, "eve", refunds=3)

    sla.sweep(NOW)

    assert Batch.objects.get().assigned_to == eve
    assert eve.username not in str(Entry.objects.get(kind="hold.late").body)
    assert f'"to":{eve.pk}' in str(Entry.objects.get(kind="hold.late").body)


@pytest.mark.django_db(transaction=True)
def test_two_sweepers_at_once_ring_each_clock_once(workspace: Workspace) -> None:
    refund(workspace, due=-1, n=120)
    sla.wind()

    def sweeps(_: int) -> int:
        try:
            return sum(sla.sweep(NOW) for _ in range(3))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        rung = sum(threads.map(sweeps, range(4)))

    assert rung == 360
    assert Entry.objects.filter(kind="hold.late").count() == 120
    assert Clock.objects.filter(alarm=Alarm.LATE, rung_at=None).count() == 0
