"""A handoff whose receiver took it and fell silent comes back, once, with the reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.handoffs import demands, parties, quality, returning, sending, tasks
from orchestration.handoffs.demands import Demanded
from orchestration.handoffs.given import TooLate, Wrong
from orchestration.handoffs.models import Bounce, Envelope
from orchestration.handoffs.told import told
from orchestration.ledger.models import Entry
from orchestration.outbox.models import Endpoint, Event, Message
from orchestration.telemetry.models import Pulse
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.handoffs.spoken import envelope, speaker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    parties.forget()
    demands.forget()


def taken(workspace: Workspace, ago: timedelta, ttl_s: float | None = None) -> Envelope:
    row = sending.send(speaker(workspace), envelope(), "")
    sending.step(speaker(workspace), row.pk, "accept", {"ttl_s": ttl_s}, "")
    due = Envelope.objects.get(pk=row.pk).due_at
    assert due
    Envelope.objects.filter(pk=row.pk).update(accepted_at=timezone.now() - ago, due_at=due - ago)
    return row


def heard(workspace: Workspace, ago: timedelta) -> None:
    agent = make.agent(workspace, "billing")
    at = timezone.now() - ago
    Pulse.objects.create(workspace_id=workspace.pk, agent_id=agent.pk, heard_at=at, step_at=at, gaps=[0] * 24)


def test_one_whose_receiver_died_is_open_again_and_its_sender_reads_why(workspace: Workspace) -> None:
    heard(workspace, timedelta(hours=2))
    row = taken(workspace, timedelta(hours=1))

    assert (returning.give_up_silent(), returning.give_up_silent()) == (1, 0)

    row.refresh_from_db()
    said = told(row)
    assert (said["state"], said["returned"], said["problem"]["type"], said["accepted_at"]) == (
        "sent",
        1,
        "silent",
        None,
    )
    assert Entry.objects.filter(kind="handoff.returned", subject_id=str(row.pk)).count() == 1
    assert sending.step(speaker(workspace), row.pk, "accept", None, "").state == "accepted"


def test_it_counts_as_sent_back(workspace: Workspace) -> None:
    taken(workspace, timedelta(hours=3))
    tasks.sweep()
    now = timezone.now()

    (line,) = quality.pairs(workspace.pk, now - timedelta(days=1), now, now)

    assert (line.bounced, line.missing, line.waiting) == (1, (("silent", 1),), 1)
    assert Bounce.objects.filter(field="").count() == 1


def test_who_comes_back_too_late_is_told_that_it_was_taken_back(workspace: Workspace) -> None:
    row = taken(workspace, timedelta(hours=3))
    returning.give_up_silent()

    with pytest.raises(TooLate, match="taken back"):
        sending.step(speaker(workspace), row.pk, "complete", {"result": 1}, "")


def test_who_was_given_up_is_out_whatever_it_says_once_another_one_has_it(workspace: Workspace) -> None:
    row = taken(workspace, timedelta(hours=3))
    returning.give_up_silent()
    said: dict[str, dict[str, Any]] = {"complete": {"result": 1}, "extend": {}, "reject": {"reason": "No"}}
    with pytest.raises(TooLate, match="taken back"):
        sending.step(speaker(workspace), row.pk, "reject", {"reason": "No", "fence": 1}, "")
    now = sending.step(speaker(workspace), row.pk, "accept", None, "")

    for name, body in said.items():
        with pytest.raises(TooLate, match="other hands"):
            sending.step(speaker(workspace), row.pk, name, body | {"fence": 1}, "")
        with pytest.raises(Wrong, match="fence"):
            sending.step(speaker(workspace), row.pk, name, body, "")

    assert sending.step(speaker(workspace), row.pk, "complete", {"fence": now.fence}, "").state == "completed"


def test_each_return_is_told_by_webhook_once(workspace: Workspace, admin: User) -> None:
    events = [str(Event.HANDOFF_RETURNED)]
    Endpoint.objects.create(workspace=workspace, url="https://x.example", events=events, salt="s", created_by=admin)
    silent = taken(workspace, timedelta(hours=3))
    refused, old = (sending.send(speaker(workspace), envelope(), "") for _ in range(2))
    Envelope.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    for _ in range(2):
        sending.step(speaker(workspace), refused.pk, "reject", {"reason": "Not mine"}, "once")
        tasks.sweep()

    told_of = {(each.data["id"], each.data["why"]): each.data["state"] for each in Message.objects.all()}
    assert told_of == {
        (str(silent.pk), "silent"): "sent",
        (str(refused.pk), "rejected"): "rejected",
        (str(old.pk), "expired"): "expired",
    }
    assert "Refund" not in str(Message.objects.values_list("data", flat=True))


@pytest.mark.parametrize("silent_min", [1, 14])
def test_one_whose_receiver_is_heard_of_stays_with_it(workspace: Workspace, silent_min: int) -> None:
    heard(workspace, timedelta(minutes=silent_min))
    row = taken(workspace, timedelta(hours=5))

    assert returning.give_up_silent() == 0

    row.refresh_from_db()
    assert row.state == "accepted"
    assert row.due_at
    assert row.due_at > timezone.now()


def test_one_that_was_never_heard_of_has_an_hour(workspace: Workspace) -> None:
    taken(workspace, timedelta(minutes=50))
    assert returning.give_up_silent() == 0

    taken(workspace, timedelta(minutes=70))
    assert returning.give_up_silent() == 1


def test_who_names_a_time_is_held_to_it_and_may_ask_for_more(workspace: Workspace) -> None:
    heard(workspace, timedelta())
    late, longer = (taken(workspace, timedelta(minutes=2), ttl_s=60) for _ in range(2))
    sending.step(speaker(workspace), longer.pk, "extend", {"ttl_s": 600}, "")

    assert returning.give_up_silent() == 1

    late.refresh_from_db()
    assert late.problem["type"] == "late"
    assert Envelope.objects.get(pk=longer.pk).state == "accepted"


def test_what_may_not_be_begun_again_or_is_worth_nothing_any_more_expires(workspace: Workspace, admin: User) -> None:
    worthless = taken(workspace, timedelta(hours=3))
    Envelope.objects.filter(pk=worthless.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    often = taken(workspace, timedelta(hours=3))
    Envelope.objects.filter(pk=often.pk).update(returned=returning.MOST_RETURNS)
    returning.give_up_silent()
    demands.change(workspace, ("support-triage", "billing"), Demanded(again=False), admin)
    once = taken(workspace, timedelta(hours=3))
    returning.give_up_silent()

    for row in (worthless, often, once):
        row.refresh_from_db()
        assert (row.state, row.problem["type"], bool(row.reason)) == ("expired", "silent", True)
