from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestration.control import digest, keeping, recorded
from orchestration.ledger import chain, entries
from orchestration.ledger.models import Entry
from orchestration.policies import standing
from orchestration.policies.models import Asked, Decision, Past
from orchestration.telemetry.models import SpanDay, SpanHour, SpanMinute
from orchestration.workflows.models import Run, RunBooking, TraceKey
from orchestration.workspaces import ways
from orchestration.workspaces.models import User, Workspace
from orchestration.workspaces.ways import Keeping
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


def decision(workspace: Workspace, days: int, **more: Any) -> Decision:
    at = datetime.now(UTC) - timedelta(days=days)
    told = {"agent": "bot", "action_type": "refund", "effect": "hold", "verdict": "approve", "amount": 12}
    values = told | {"facts": {"context": {"iban": "rosebud"}}, "answer": {"reasons": ["rosebud"]}} | more
    return Decision.objects.create(workspace=workspace, id=chain.first_id(at), at=at, **values)


def test_facts_of_decisions_go_and_that_there_was_one_stays(workspace: Workspace, stranger: User) -> None:
    ways.keep_for(workspace, Keeping(30, 400, 90), None)
    there = Workspace.objects.get(slug="elsewhere")
    old, fresh = decision(workspace, 91), decision(workspace, 89)
    brought = decision(workspace, 900, imported=True, received_at=datetime.now(UTC) - timedelta(days=2))
    theirs = decision(there, 120)
    told = {"effect": "hold", "facts_sha256": "0" * 64}
    entries.record(workspace.pk, "decision", ("decision", str(old.id)), "agent:bot", told, old.at)

    done = [keeping.keep()["facts"] for _ in range(2)]

    assert done == [1, 0]
    for each in (old, fresh, brought, theirs):
        each.refresh_from_db()
    assert (old.facts, old.answer, old.verdict, old.effect) == ({}, {}, "approve", "hold")
    assert old.amount == 12
    assert all(each.facts and each.forgotten_at is None for each in (fresh, brought, theirs))
    assert Entry.objects.get().subject_id == str(old.id)


def test_what_was_forgotten_is_not_replayed_nor_looked_at(workspace: Workspace) -> None:
    for days in (500, 450, 3):
        decision(workspace, days)
    keeping.keep()

    part = recorded.stretch(workspace.pk, None, None)

    assert part is not None
    assert part.total == 1
    assert len(standing.lately(workspace.pk)) == 1


def test_keys_of_asks_and_what_no_rule_can_look_back_on_go(workspace: Workspace) -> None:
    for days in (29, 33):
        at = datetime.now(UTC) - timedelta(days=days)
        Asked.objects.create(
            workspace=workspace, key=str(days), digest=b"0" * 32, decision_id=chain.first_id(at), at=at
        )
        Past.objects.create(
            workspace=workspace,
            decision_id=chain.first_id(at),
            subject="agent",
            value="bot",
            at=at,
            action_type="refund",
            agent="bot",
            counts=True,
        )

    keeping.keep()

    assert Asked.objects.get().key == "29"
    assert Past.objects.get().at > datetime.now(UTC) - timedelta(days=30)
