"""What happens to a hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold, State
from orchestration.holds.verdicts import TooLate, Unreasoned, Verdict
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db
YES = Verdict(Answered.APPROVE)


@pytest.fixture
def hold(workspace: Workspace) -> Hold:
    return Hold.objects.create(
        workspace=workspace, source="decision", agent="bot", question="May bot refund?", proposal="refund", why="over"
    )


def pass_time(hold: Hold) -> None:
    Hold.objects.filter(pk=hold.pk).update(apply_at=timezone.now() - timedelta(seconds=1))


def test_a_verdict_takes_effect_after_its_ten_seconds(hold: Hold, reviewer: User) -> None:
    found = verdicts.decide(hold, YES, reviewer, revision=0)
    assert found.state == State.DECIDED
    assert verdicts.apply_due() == 0

    pass_time(hold)

    assert verdicts.apply_due() == 1
    hold.refresh_from_db()
    assert (hold.state, hold.verdict) == (State.APPLIED, Answered.APPROVE)
    assert verdicts.apply_due() == 0


def test_it_can_be_taken_back_until_then_and_not_after(hold: Hold, reviewer: User) -> None:
    verdicts.decide(hold, YES, reviewer, revision=0)

    assert verdicts.undo(hold, reviewer).state == State.OPEN

    verdicts.decide(hold, YES, reviewer, revision=2)
    pass_time(hold)
    with pytest.raises(TooLate):
        verdicts.undo(hold, reviewer)


def test_who_comes_second_is_told_who_was_first(hold: Hold, reviewer: User, admin: User) -> None:
    verdicts.decide(hold, YES, reviewer, revision=0)

    with pytest.raises(TooLate, match="reviewer"):
        verdicts.decide(hold, Verdict(Answered.REJECT, "no"), admin, revision=0)

    assert verdicts.decide(hold, YES, reviewer, revision=0).verdict == Answered.APPROVE


def test_a_verdict_on_another_state_than_the_one_seen_is_refused(hold: Hold, reviewer: User) -> None:
    verdicts.decide(hold, YES, reviewer, revision=0)
    verdicts.undo(hold, reviewer)

    with pytest.raises(TooLate):
        verdicts.decide(hold, YES, reviewer, revision=0)


@pytest.mark.parametrize("verdict", [Verdict(Answered.REJECT), Verdict(Answered.MORE, " "), Verdict(Answered.AMEND)])
def test_some_verdicts_need_a_word(hold: Hold, reviewer: User, verdict: Verdict) -> None:
    with pytest.raises(Unreasoned):
        verdicts.decide(hold, verdict, reviewer, revision=0)


@pytest.mark.parametrize(("on_timeout", "state"), [("reject", State.EXPIRED), ("remind", State.OPEN)])
def test_time_that_runs_out_never_allows(hold: Hold, on_timeout: str, state: State) -> None:
    Hold.objects.filter(pk=hold.pk).update(due_at=timezone.now() - timedelta(minutes=1), on_timeout=on_timeout)

    verdicts.expire_due()

    hold.refresh_from_db()
    assert hold.state == state
    assert hold.verdict != Answered.APPROVE


def test_every_change_leaves_a_receipt(hold: Hold, reviewer: User) -> None:
    verdicts.decide(hold, YES, reviewer, revision=0)
    verdicts.undo(hold, reviewer)

    kinds = list(Entry.objects.filter(subject_id=str(hold.pk)).order_by("id").values_list("kind", "actor"))

    assert kinds == [("verdict", "person:reviewer"), ("verdict.undone", "person:reviewer")]


def test_two_people_have_to_approve_where_the_policy_says_so(hold: Hold, reviewer: User, admin: User) -> None:
    Hold.objects.update(people=2)
    hold.refresh_from_db()

    first = verdicts.decide(hold, YES, reviewer, revision=0)
    again = verdicts.decide(hold, YES, reviewer, revision=0)
    assert (first.state, again.state, again.revision) == (State.OPEN, State.OPEN, 1)

    second = verdicts.decide(first, YES, admin, revision=1)

    assert (second.state, second.reviewer) == (State.DECIDED, admin)
    kinds = Entry.objects.filter(subject_id=str(hold.pk)).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["verdict.first", "verdict"]


def test_of_two_people_one_who_says_no_is_enough(hold: Hold, reviewer: User, admin: User) -> None:
    Hold.objects.update(people=2)
    hold.refresh_from_db()
    first = verdicts.decide(hold, YES, reviewer, revision=0)

    with pytest.raises(Unreasoned, match="something else"):
        verdicts.decide(first, Verdict(Answered.AMEND, "", {"amount": 5}), admin, revision=1)

    assert verdicts.decide(first, Verdict(Answered.REJECT, "no"), admin, revision=1).verdict == "reject"


def test_two_first_words_at_a_time_are_not_two_people_who_agree(hold: Hold, reviewer: User, admin: User) -> None:
    """The second one pressed on a hold that has changed since, and is asked to look again."""
    Hold.objects.update(people=2)
    hold.refresh_from_db()
    verdicts.decide(hold, YES, reviewer, revision=0)

    with pytest.raises(TooLate):
        verdicts.decide(hold, YES, admin, revision=0)
