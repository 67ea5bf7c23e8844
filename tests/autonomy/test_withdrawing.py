"""Cancelling a run takes its questions out of the inbox."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from orchestration.autonomy import ordering, work
from orchestration.autonomy.models import Kind
from orchestration.holds.models import Hold, State
from orchestration.ledger.models import Entry
from orchestration.workflows.models import Run
from orchestration.workspaces.models import Workspace
from tests import make
from tests.autonomy.ordered import at_run, done, wish

pytestmark = pytest.mark.django_db


def hold(of: Run, **fields: Any) -> Hold:
    known = {"agent": "refund", "question": "Pay?", "proposal": "Pay", "why": "It is asked for", "source": "agent"}
    return Hold.objects.create(**{"workspace_id": of.workspace_id, "run_id": of.id} | known | fields)


def test_its_open_questions_are_withdrawn_and_those_of_other_runs_stay(workspace: Workspace) -> None:
    run, other = make.run(workspace, status="running"), make.run(workspace, status="running")
    mine = [hold(run), hold(run, run_id=None, run=str(run.id)), hold(run, state=State.DECIDED, verdict="approve")]
    theirs, over = hold(other), hold(run, state=State.APPLIED, verdict="reject")

    action = done(workspace, Kind.CANCEL, at_run(run))

    found = Hold.objects.in_bulk([each.pk for each in mine])
    assert {(each.state, each.verdict, each.revision) for each in found.values()} == {(State.CANCELLED, "", 1)}
    assert set(Hold.objects.filter(pk__in=[theirs.pk, over.pk]).values_list("state", flat=True)) == {"open", "applied"}
    assert action.result["withdrawn"] == 3
    assert Entry.objects.filter(kind="hold.cancelled").count() == 3


def test_reopening_the_run_asks_nobody_again(workspace: Workspace) -> None:
    run = make.run(workspace, status="running")
    asked = hold(run, opened_at=timezone.now())
    action = done(workspace, Kind.CANCEL, at_run(run))

    work.carry_out_one(ordering.undo(action, wish(Kind.REOPEN)))

    asked.refresh_from_db()
    assert asked.state == State.CANCELLED
