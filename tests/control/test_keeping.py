from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from orchestration.control import digest, keeping
from orchestration.telemetry.models import SpanDay, SpanHour, SpanMinute
from orchestration.workflows.models import Run, RunBooking, TraceKey
from orchestration.workspaces.models import Workspace
from tests import make
from tests.control.test_digest import Sender, figures, refund, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


def test_a_run_whose_id_the_caller_gave_keeps_its_booking_and_counts_once(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    digest.digest(workspace.pk)
    TraceKey.objects.create(
        workspace=workspace, kind="run", key="00000000-0000-4000-8000-000000000001", trace_id=sender.trace_id
    )
    settle_all(workspace)
    assert Run.objects.get().id == UUID("00000000-0000-4000-8000-000000000001")
    before = figures()

    keeping.keep()
    settle_all(workspace)

    assert figures() == before


def test_bookings_go_with_their_runs(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    runs = [make.run(workspace, heard_at=now - timedelta(days=days)) for days in (1, 61)]
    gone = UUID("ffffffff-0000-4000-8000-000000000001")
    for run_id in (*(run.id for run in runs), gone):
        RunBooking.objects.create(workspace=workspace, run_id=run_id, body=b"[[],[]]")

    keeping.keep()

    assert RunBooking.objects.get().run_id == runs[0].id


def test_minutes_are_deleted_by_whole_hours_once_they_are_in_their_hour(workspace: Workspace) -> None:
    who = make.agent(workspace)
    for days in (1, 40):
        make.calls(workspace, who, n=3, at=datetime.now(UTC) - timedelta(days=days))

    keeping.keep()

    assert SpanMinute.objects.count() == 1
    assert sorted(SpanHour.objects.values_list("n", flat=True)) == [3, 3]


def test_a_day_of_figures_goes_with_its_last_hour(workspace: Workspace) -> None:
    who, now = make.agent(workspace), datetime.now(UTC)
    for days in (30, 399, 402):
        make.calls(workspace, who, n=days, at=now - timedelta(days=days))

    keeping.keep()

    assert sorted(SpanDay.objects.values_list("n", flat=True)) == [30, 399]
    assert sorted(SpanHour.objects.values_list("n", flat=True)) == [30, 399]
