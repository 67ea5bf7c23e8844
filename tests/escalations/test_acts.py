"""What reviewers do to a batch: each act, who may, twice, without a script, and when somebody was first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from escalations.models import Act, Alarm, Batch, Clock, Escalation
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold, State
from orchestration.holds.verdicts import Verdict
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.dashboard.conftest import region
from tests.escalations.conftest import alone, chosen, clear, open_inbox, press, refunds, second
from tests.scenes import scene

pytestmark = pytest.mark.django_db


def wait() -> None:
    open_inbox().get("/inbox/")
    refunds(make.workspace())


twelve_wait = scene(wait)


@pytest.fixture
def batch() -> Batch:
    """Eleven like refunds and an odd one."""
    return Batch.objects.get()


def batch_of(hold: Hold) -> Batch:
    found = Escalation.objects.get(pk=hold.pk).batch
    assert found is not None
    return found


def states(batch: Batch) -> dict[str, int]:
    found: dict[str, int] = {}
    for hold in Hold.objects.filter(pk__in=Escalation.objects.filter(batch=batch).values("pk")):
        found[hold.verdict or hold.state] = found.get(hold.verdict or hold.state, 0) + 1
    return found


def test_approving_decides_what_is_chosen_and_the_rest_stays(as_reviewer: Client, batch: Batch) -> None:
    answer = press(as_reviewer, batch, chosen(batch))

    assert (answer.status_code, answer["Location"]) == (302, f"/inbox/{batch.pk}/")
    assert states(batch) == {"approve": 11, "open": 1}
    batch.refresh_from_db()
    assert (batch.cases, batch.closed_at) == (1, None)
    page = as_reviewer.get(f"/inbox/{batch.pk}/").content.decode()
    assert "Approved 11" in page
    assert 'data-key="z"' in page


def test_when_all_is_decided_the_next_batch_is_shown(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    batch, other = refunds(workspace), batch_of(alone(workspace))

    answer = press(as_reviewer, batch, chosen(batch, everything=True), next=str(other.pk))

    assert answer["Location"] == f"/inbox/{other.pk}/"
    other.refresh_from_db()
    assert other.claimed_by is not None


def test_the_script_gets_what_an_act_changes_in_one_answer(as_reviewer: Client, batch: Batch) -> None:
    answer = press(as_reviewer, batch, chosen(batch), headers=region("after"))

    text = answer.content.decode()
    assert answer.status_code == 200
    for name in ("batches", "batch", "case", "toast"):
        assert f'id="{name}"' in text
    assert "<html" not in text


def test_a_double_press_is_one_act(as_reviewer: Client, batch: Batch) -> None:
    cases = chosen(batch)

    answers = [press(as_reviewer, batch, cases, key="the-same-press") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert Act.objects.count() == 1
    assert Entry.objects.filter(kind="verdict").count() == 11


def test_an_act_is_taken_back_as_a_whole(as_reviewer: Client, batch: Batch) -> None:
    press(as_reviewer, batch, chosen(batch))

    as_reviewer.post(f"/inbox/verdicts/{Act.objects.get().pk}/undo/")

    assert states(batch) == {"open": 12}
    batch.refresh_from_db()
    assert (batch.cases, batch.closed_at) == (12, None)
    assert Entry.objects.filter(kind="verdict.undone").count() == 11
    assert 'data-key="z"' not in as_reviewer.get("/inbox/").content.decode()


def test_the_latest_act_is_offered_first_and_then_the_one_before(as_reviewer: Client, batch: Batch) -> None:
    cases = chosen(batch)
    press(as_reviewer, batch, cases[:3])
    press(as_reviewer, batch, cases[3:5])

    def offered() -> str:
        text = as_reviewer.get("/inbox/").content.decode()
        return text[text.index('id="toast"') :][:400]

    assert "Approved 2" in offered()
    assert "and 1 decision before" in offered()
    as_reviewer.post(f"/inbox/verdicts/{Act.objects.order_by('-at')[0].pk}/undo/")
    assert "Approved 3" in offered()


def test_an_undo_that_comes_too_late_is_told_so(as_reviewer: Client, batch: Batch) -> None:
    press(as_reviewer, batch, chosen(batch))
    Hold.objects.filter(state=State.DECIDED).update(apply_at=timezone.now() - timedelta(seconds=1))
    Act.objects.update(undo_until=timezone.now() - timedelta(seconds=1))
    verdicts.apply_due()

    answer = as_reviewer.post(f"/inbox/verdicts/{Act.objects.get().pk}/undo/")

    assert answer.status_code == 409
    assert "The ten seconds are over" in answer.content.decode()
    assert states(batch) == {"approve": 11, "open": 1}


def test_an_undo_of_somebody_else_is_not_there(as_reviewer: Client, workspace: Workspace, batch: Batch) -> None:
    press(as_reviewer, batch, chosen(batch))
    as_reviewer.force_login(second(workspace))

    assert as_reviewer.post(f"/inbox/verdicts/{Act.objects.get().pk}/undo/").status_code == 404


def test_a_deadline_within_the_ten_seconds_ends_them_and_is_told(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    batch = refunds(workspace, 2, odd=False, due_at=timezone.now() + timedelta(seconds=5))
    press(as_reviewer, batch, chosen(batch, everything=True))

    assert "agents are told sooner" in as_reviewer.get("/inbox/").content.decode()
    assert all(hold.apply_at == hold.due_at for hold in Hold.objects.all())


def test_a_rejection_needs_its_reason_and_keeps_what_was_chosen(as_reviewer: Client, batch: Batch) -> None:
    three = chosen(batch)[:3]

    answer = press(as_reviewer, batch, three, "reject")

    text = answer.content.decode()
    assert answer.status_code == 422
    assert "Say why" in text
    assert text[: text.index("</tbody>")].count(" checked") == 3
    assert "data-open" in text
    assert states(batch) == {"open": 12}

    press(as_reviewer, batch, three, "reject", reason="evidence", note="No photo of the label")
    assert states(batch) == {"reject": 3, "open": 9}
    assert Hold.objects.filter(verdict="reject")[0].note == "Not enough evidence. No photo of the label"


def test_another_reason_needs_a_word(as_reviewer: Client, batch: Batch) -> None:
    assert press(as_reviewer, batch, chosen(batch), "reject", reason="other").status_code == 422
    assert press(as_reviewer, batch, chosen(batch), "reject", note="Mine").status_code == 302


def test_an_amount_and_arguments_may_be_changed_until_a_time(as_reviewer: Client, batch: Batch) -> None:
    until = timezone.now() + timedelta(hours=3)
    now = {"argument:item": "Two things", "argument:n": "3", "argument:x": "1"}
    before = {"was:item": "Thing A", "was:n": "2", "was:x": "1"}
    when = {"conditional": "1", "until": until.strftime("%Y-%m-%dT%H:%M")}

    press(as_reviewer, batch, chosen(batch)[:1], "amend", amount="480", **when, **now, **before)

    told = Hold.objects.get(verdict=Answered.AMEND).amend
    assert told["amount"] == 480.0
    assert told["arguments"] == {"item": "Two things", "n": 3}
    assert told["until"].startswith(until.strftime("%Y-%m-%dT%H:%M"))


@pytest.mark.parametrize(
    "said",
    [
        {"amount": "a lot"},
        {"amount": "-5"},
        {"amount": "nan"},
        {"amount": "1e99"},
        {},
        {"amount": "5", "conditional": "1", "until": "2001-01-01T00:00"},
        {"amount": "5", "conditional": "1"},
    ],
)
def test_a_change_that_is_none_changes_nothing(as_reviewer: Client, batch: Batch, said: dict[str, str]) -> None:
    assert press(as_reviewer, batch, chosen(batch)[:1], "amend", **said).status_code == 422
    assert states(batch) == {"open": 12}


def test_more_is_asked_of_the_agent_or_of_the_customer(as_reviewer: Client, batch: Batch) -> None:
    assert press(as_reviewer, batch, chosen(batch)[:1], "more").status_code == 422

    press(as_reviewer, batch, chosen(batch)[:2], "more", ask="customer", question="Where is the label?")

    found = Hold.objects.filter(verdict=Answered.MORE)
    assert {(hold.note, hold.amend["ask"]) for hold in found} == {("Where is the label?", "customer")}


def test_a_batch_is_split_and_joined_again(as_reviewer: Client, batch: Batch) -> None:
    two = chosen(batch)[:2]

    press(as_reviewer, batch, two, "split")

    apart = Batch.objects.exclude(pk=batch.pk).get()
    assert (apart.cases, apart.split) == (2, True)
    assert sorted(apart.escalations.values_list("number", flat=True)) == [1, 2]
    batch.refresh_from_db()
    assert batch.cases == 10

    as_reviewer.post(f"/inbox/verdicts/{Act.objects.get().pk}/undo/")
    batch.refresh_from_db()
    apart.refresh_from_db()
    assert (batch.cases, apart.cases, apart.closed_at is None) == (12, 0, False)


def test_a_batch_is_given_to_somebody_and_taken_back(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    batch, other = refunds(workspace), second(workspace)

    answer = press(as_reviewer, batch, [], "assign", person=other.pk)

    assert answer.status_code == 302
    batch.refresh_from_db()
    assert (batch.assigned_to, batch.assigned_why) == (other, "Given to you by reviewer")
    as_reviewer.post(f"/inbox/verdicts/{Act.objects.get().pk}/undo/")
    batch.refresh_from_db()
    assert batch.assigned_to is None


def test_a_batch_is_given_to_nobody_who_may_not_decide(as_reviewer: Client, batch: Batch, operator: User) -> None:
    assert press(as_reviewer, batch, [], "assign", person=operator.pk).status_code == 422
    assert press(as_reviewer, batch, [], "escalate").status_code == 422, "there is no admin"


def test_a_batch_is_escalated_to_an_admin(as_reviewer: Client, batch: Batch, admin: User) -> None:
    press(as_reviewer, batch, [], "escalate", escalated="Too much for me")

    batch.refresh_from_db()
    assert batch.assigned_to == admin
    assert "Too much for me" in batch.assigned_why


@pytest.mark.parametrize("choice", ["1h", "4h", "morning", "monday"])
def test_a_snoozed_batch_rings_when_it_comes_back(as_reviewer: Client, batch: Batch, choice: str) -> None:
    press(as_reviewer, batch, [], "snooze", snooze=choice)

    batch.refresh_from_db()
    assert batch.snoozed_until is not None
    assert timezone.now() < batch.snoozed_until < timezone.now() + timedelta(days=8)
    assert Clock.objects.get(alarm=Alarm.BACK).at == batch.snoozed_until
    as_reviewer.post(f"/inbox/verdicts/{Act.objects.get().pk}/undo/")
    batch.refresh_from_db()
    assert batch.snoozed_until is None


def test_a_verdict_may_say_that_it_should_not_have_been_asked(as_reviewer: Client, batch: Batch) -> None:
    press(as_reviewer, batch, chosen(batch), unneeded="1", opened=int((timezone.now().timestamp() - 33) * 1000))

    found = Escalation.objects.filter(batch=batch, open=False)
    assert {case.unneeded for case in found} == {True}
    assert all(2.5 < (case.seconds or 0) < 4 for case in found)


def test_more_than_fifteen_in_a_moment_are_asked_about_once(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    batch = refunds(workspace, 20, odd=False)
    now: dict[str, Any] = {"opened": int(timezone.now().timestamp() * 1000)}

    asked = press(as_reviewer, batch, chosen(batch, everything=True), **now)

    assert asked.status_code == 422
    assert "Is that meant?" in asked.content.decode()
    assert states(batch) == {"open": 20}
    assert press(as_reviewer, batch, chosen(batch, everything=True), sure="1", **now).status_code == 302


def test_who_comes_second_is_told_who_was_first_and_the_others_are_decided(
    as_reviewer: Client, batch: Batch, admin: User
) -> None:
    cases = chosen(batch)
    lost = Hold.objects.get(pk=UUID(cases[0].partition(":")[0]))
    verdicts.decide(lost, Verdict(Answered.REJECT, "wrong account"), admin, revision=0)

    answer = press(as_reviewer, batch, cases)

    text = answer.content.decode()
    assert answer.status_code == 409
    assert "1 case was not yours to decide any more" in text
    assert "Rejected by admin" in text
    assert "Approved 10" in text
    assert states(batch) == {"approve": 10, "reject": 1, "open": 1}


def test_who_raised_a_case_does_not_decide_it(as_reviewer: Client, batch: Batch) -> None:
    cases = chosen(batch)
    Escalation.objects.filter(pk=cases[0].partition(":")[0]).update(raised_by="reviewer")

    answer = press(as_reviewer, batch, cases)

    assert answer.status_code == 409
    assert "You raised it: somebody else decides" in answer.content.decode()
    assert states(batch) == {"approve": 10, "open": 2}


def test_what_the_first_of_two_said_is_hidden_from_the_second(
    as_reviewer: Client, workspace: Workspace, reviewer: User
) -> None:
    clear()
    hold = alone(workspace, people=2)
    batch = batch_of(hold)
    press(as_reviewer, batch, chosen(batch, everything=True))
    mine = as_reviewer.get(f"/inbox/{batch.pk}/").content.decode()
    assert "You have answered: a second person has to" in mine
    assert Hold.objects.get().state == State.OPEN

    as_reviewer.force_login(second(workspace))
    theirs = as_reviewer.get(f"/inbox/{batch.pk}/").content.decode()
    assert "Two people decide" in theirs
    assert "pproved 1" not in theirs
    assert "by reviewer" not in theirs
    press(as_reviewer, batch, chosen(batch, everything=True))
    assert Hold.objects.get().state == State.DECIDED


def test_all_alike_are_decided_together_when_they_are_as_many_as_said(
    as_reviewer: Client, workspace: Workspace
) -> None:
    clear()
    batch = refunds(workspace, 60)
    many = Escalation.objects.filter(key=batch.key, selected=True).count()
    assert Batch.objects.filter(key=batch.key).count() > 1

    assert press(as_reviewer, batch, [], alike=many - 1).status_code == 409
    assert press(as_reviewer, batch, [], alike=many).status_code == 302

    assert Hold.objects.filter(verdict="approve").count() == many
    assert Escalation.objects.filter(open=True).count() == 61 - many


@pytest.mark.parametrize(
    "said",
    [
        {"act": "destroy"},
        {"key": "x"},
        {"case": ["nonsense"]},
        {"case": ["00000000-0000-0000-0000-000000000001:x"]},
        {"case": []},
        {"act": "snooze", "snooze": "forever"},
        {"act": "assign", "person": "1e9"},
        {"act": "assign"},
        {"alike": "0"},
        {"note": "\x00"},
    ],
)
def test_nonsense_is_answered_and_changes_nothing(as_reviewer: Client, batch: Batch, said: dict[str, Any]) -> None:
    told = {"act": "approve", "key": "a-good-key", "case": chosen(batch)} | said

    assert as_reviewer.post(f"/inbox/{batch.pk}/decide/", told).status_code == 422
    assert states(batch) == {"open": 12}


def test_a_case_of_another_workspace_is_left_alone(as_reviewer: Client, workspace: Workspace, stranger: User) -> None:
    clear()
    other = Workspace.objects.exclude(pk=workspace.pk).first()
    assert other is not None
    theirs, mine = refunds(other), refunds(workspace)

    press(as_reviewer, mine, chosen(theirs))

    assert states(theirs) == {"open": 12}


def test_operators_decide_nothing(as_operator: Client, batch: Batch) -> None:
    assert press(as_operator, batch, chosen(batch)).status_code == 403
    assert states(batch) == {"open": 12}


def test_opening_the_run_of_a_case_is_kept_with_it(as_reviewer: Client, workspace: Workspace) -> None:
    clear()
    hold = alone(workspace, run_id="00000000-0000-7000-8000-000000000001")
    batch = batch_of(hold)

    answer = as_reviewer.post(f"/inbox/{batch.pk}/cases/{hold.pk}/run/")

    assert answer["Location"] == "/runs/00000000-0000-7000-8000-000000000001/"
    assert Escalation.objects.get(pk=hold.pk).elsewhere
