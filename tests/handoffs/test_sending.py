"""Handoffs on their way: every step once, with its receipt, and what is sent back counted by pair."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.handoffs import bounces, claims, demands, forgetting, lists, sending, tasks
from orchestration.handoffs.demands import ChangedMeanwhile, Demanded, Fact
from orchestration.handoffs.given import KeyUsed, NotYours, TooLate, Wrong
from orchestration.handoffs.lists import Asked
from orchestration.handoffs.models import Bounce, Demand, Envelope
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.handoffs.spoken import envelope, speaker, work

pytestmark = pytest.mark.django_db


def steps(workspace: Workspace) -> list[str]:
    found = Entry.objects.filter(workspace=workspace.pk, subject_kind="handoff").order_by("id")
    return list(found.values_list("kind", flat=True))


def test_it_is_sent_accepted_and_completed_with_a_receipt_each(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    row = sending.send(all_of, envelope(), "")

    sending.step(all_of, row.pk, "accept", None, "")
    done = sending.step(all_of, row.pk, "complete", {"result": {"refunded": 120}}, "")

    assert (done.state, done.result) == ("completed", {"refunded": 120})
    assert done.accepted_at is not None
    assert steps(workspace) == ["handoff.sent", "handoff.accepted", "handoff.completed"]
    assert not Entry.objects.filter(body__contains="damaged order").exists()


def test_the_same_key_sends_and_accepts_once(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    rows = {sending.send(all_of, envelope(), "k").pk for _ in range(3)}
    (row,) = rows
    for _ in range(3):
        assert sending.step(all_of, row, "accept", {}, "a").state == "accepted"

    with pytest.raises(KeyUsed):
        sending.send(all_of, envelope(asked="Something else"), "k")
    with pytest.raises(KeyUsed):
        sending.step(all_of, row, "accept", {"key": "x"}, "a")
    with pytest.raises(TooLate, match="accepted by now"):
        sending.step(all_of, row, "accept", {}, "b")
    assert steps(workspace) == ["handoff.sent", "handoff.accepted"]


def test_the_same_key_of_another_sender_is_another_handoff(workspace: Workspace) -> None:
    made = {sending.send(speaker(workspace), envelope(**{"from": name}), "k").pk for name in ("a", "b")}

    assert len(made) == 2


@pytest.mark.parametrize(
    ("taken", "then"),
    [((), "complete"), (("accept", "complete"), "reject"), (("reject",), "accept"), (("accept", "reject"), "complete")],
)
def test_a_step_out_of_turn_changes_nothing(workspace: Workspace, taken: tuple[str, ...], then: str) -> None:
    all_of = speaker(workspace)
    row = sending.send(all_of, envelope(), "")
    bodies: dict[str, Any] = {"reject": {"reason": "Not mine"}}
    for name in taken:
        sending.step(all_of, row.pk, name, bodies.get(name), "")
    before = Envelope.objects.get(pk=row.pk).state

    with pytest.raises(TooLate):
        sending.step(all_of, row.pk, then, bodies.get(then), "")

    assert Envelope.objects.get(pk=row.pk).state == before


def test_a_rejection_says_why(workspace: Workspace) -> None:
    row = sending.send(speaker(workspace), envelope(), "")

    with pytest.raises(Wrong) as told:
        sending.step(speaker(workspace), row.pk, "reject", {}, "")

    assert [fault.field for fault in told.value.faults] == ["reason"]


def test_what_nobody_took_in_time_expires_once(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    soon = (timezone.now() + timedelta(minutes=1)).isoformat()
    row = sending.send(all_of, envelope(expires_at=soon), "")
    Envelope.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert lists.listing(all_of, Asked(state="sent"), 10, None).items == []
    with pytest.raises(TooLate, match="expired"):
        sending.step(all_of, row.pk, "accept", None, "")
    assert (sending.expire_due(), sending.expire_due()) == (1, 0)
    assert steps(workspace) == ["handoff.sent", "handoff.expired"]


def test_a_key_speaks_for_its_own_agents_alone(workspace: Workspace) -> None:
    row = sending.send(speaker(workspace, "support-triage"), envelope(), "")

    with pytest.raises(NotYours):
        sending.send(speaker(workspace, "billing"), envelope(), "")
    with pytest.raises(NotYours):
        sending.step(speaker(workspace, "support-triage"), row.pk, "accept", None, "")
    with pytest.raises(Envelope.DoesNotExist):
        sending.step(speaker(workspace, "refund"), row.pk, "accept", None, "")
    assert lists.listing(speaker(workspace, "refund"), Asked(), 10, None).items == []
    assert sending.step(speaker(workspace, "desk/Billing"), row.pk, "accept", None, "").state == "accepted"


def test_what_is_sent_back_is_counted_by_pair_and_field(workspace: Workspace) -> None:
    for _ in range(2):
        with pytest.raises(Wrong):
            sending.send(speaker(workspace), envelope(asked="", evidence=None), "")
    with pytest.raises(Wrong):
        sending.send(speaker(workspace), {"nothing": 1}, "")

    found = set(Bounce.objects.values_list("sender_key", "receiver_key", "field", "n"))
    pair = ("supporttriage", "billing")
    assert {(*pair, "", 2), (*pair, "asked", 2), (*pair, "evidence", 2), ("", "", "", 1)} <= found
    assert ("", "", "other", 1) in found
    assert not Envelope.objects.exists()


def test_names_that_are_made_up_fill_no_table(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounces, "MOST_PAIRS", 2)

    for n in range(5):
        with pytest.raises(Wrong):
            sending.send(speaker(workspace), envelope(to=f"nobody {n}", asked=""), "")

    assert Bounce.objects.filter(field="").count() == 3
    assert sum(Bounce.objects.filter(field="").values_list("n", flat=True)) == 5


def test_an_admin_says_what_a_pair_needs(workspace: Workspace, admin: User) -> None:
    wanted = Demanded(facts=(Fact("order", "text"),))
    made = demands.change(workspace, ("Support_Triage", "Billing"), wanted, admin)
    demands.change(workspace, ("support-triage", "billing"), wanted, admin)

    assert made.version == 1
    assert Demand.objects.count() == 1
    with pytest.raises(ChangedMeanwhile):
        demands.change(workspace, ("Support-Triage", "billing"), Demanded(), admin)


def test_what_a_pair_needs_is_asked_of_its_handoffs(workspace: Workspace, admin: User) -> None:
    demands.change(workspace, ("support-triage", "billing"), Demanded(facts=(Fact("order", "text"),)), admin)

    with pytest.raises(Wrong) as told:
        sending.send(speaker(workspace), envelope(), "")
    row = sending.send(speaker(workspace), envelope(facts={"order": "A-1"}), "")

    assert [fault.told["field"] for fault in told.value.faults] == ["facts.order"]
    assert row.demands == 1
    assert sending.send(speaker(workspace), envelope(to="refund"), "").demands is None


def test_old_words_go_before_old_rows(workspace: Workspace) -> None:
    all_of, now = speaker(workspace), timezone.now()
    old = sending.send(all_of, envelope(), "")
    sending.step(all_of, old.pk, "reject", {"reason": "Not mine"}, "")
    waits = sending.send(all_of, envelope(), "")
    Envelope.objects.update(sent_at=now - timedelta(days=9), ended_at=now - timedelta(days=9))
    Envelope.objects.filter(pk=waits.pk).update(ended_at=None)

    assert forgetting.forget_words(workspace.pk, now - timedelta(days=5)) == 1
    old.refresh_from_db()
    assert (old.body, old.reason, old.sender) == ({}, "", "support-triage")
    assert forgetting.forget_rows(workspace.pk, now - timedelta(days=5)) == 2


def test_a_list_goes_on_from_page_to_page(workspace: Workspace) -> None:
    all_of = speaker(workspace)
    made = [sending.send(all_of, envelope(run=f"R-{n}"), "").pk for n in range(5)]

    for asked, expected in ((Asked(), made[::-1]), (Asked(receiver="billing", state="sent"), made)):
        found, cursor = [], None
        while True:
            page = lists.listing(all_of, asked, 2, cursor)
            found += [row.pk for row in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert found == expected


def test_a_run_that_becomes_known_later_is_recognised(workspace: Workspace) -> None:
    trace = bytes(range(16))
    all_of = speaker(workspace)
    row = sending.send(all_of, envelope(run=trace.hex()), "")
    held, _ = claims.claim(all_of, work(run=trace.hex()))
    run = make.run(workspace, traces=[trace])

    assert (tasks.sweep(), tasks.sweep()) == (2, 0)

    assert Envelope.objects.get(pk=row.pk).run_id == run.id
    assert claims.claim(all_of, work(run=str(run.id), agent="billing"))[0].pk == held.pk
