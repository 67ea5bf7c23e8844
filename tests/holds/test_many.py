"""Verdicts on many holds at once."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold, State
from orchestration.holds.verdicts import Verdict
from orchestration.ledger.models import Entry
from orchestration.outbox.models import Endpoint, Message
from orchestration.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db
YES = Verdict(Answered.APPROVE)


def held(workspace: Workspace, n: int, **more: object) -> list[Hold]:
    asked = {"source": "agent", "agent": "bot", "question": "May I?", "proposal": "it", "why": "over"} | more
    return Hold.objects.bulk_create([Hold(workspace=workspace, **asked) for _ in range(n)])


def seen(holds: list[Hold]) -> dict[UUID, int]:
    return {hold.pk: hold.revision for hold in holds}


def test_one_that_somebody_else_decided_leaves_the_others_alone(
    workspace: Workspace, reviewer: User, admin: User
) -> None:
    holds = held(workspace, 3)
    verdicts.decide(holds[1], Verdict(Answered.REJECT, "no"), admin, revision=0)

    found = verdicts.decide_many(workspace.pk, seen(holds), YES, reviewer)

    assert [each.done for each in found] == [True, False, True]
    assert found[1].hold.reviewer == admin
    assert Entry.objects.filter(kind="verdict").count() == 3


def test_what_is_taken_back_is_what_the_verdict_made_and_nothing_later(workspace: Workspace, reviewer: User) -> None:
    one, two = held(workspace, 2)
    first = verdicts.decide_many(workspace.pk, seen([one, two]), YES, reviewer)
    verdicts.undo(one, reviewer)
    verdicts.decide(one, Verdict(Answered.REJECT, "after all"), reviewer, revision=2)

    back = verdicts.undo_many(workspace.pk, {each.hold.pk: each.hold.revision for each in first}, reviewer)

    assert [hold.pk for hold in back] == [two.pk]
    one.refresh_from_db()
    assert one.verdict == Answered.REJECT


def test_the_first_word_of_two_may_be_taken_back_too(workspace: Workspace, reviewer: User) -> None:
    (hold,) = held(workspace, 1, people=2)
    (told,) = verdicts.decide_many(workspace.pk, seen([hold]), YES, reviewer)
    assert (told.done, told.first, told.hold.state) == (True, True, State.OPEN)

    verdicts.undo_many(workspace.pk, {hold.pk: 1}, reviewer)

    hold.refresh_from_db()
    assert hold.first is None


def test_a_deadline_within_the_ten_seconds_ends_them(workspace: Workspace, reviewer: User) -> None:
    soon = timezone.now() + timedelta(seconds=4)
    (hold,) = held(workspace, 1, due_at=soon)

    (told,) = verdicts.decide_many(workspace.pk, seen([hold]), YES, reviewer)

    assert told.hold.apply_at == soon


def test_five_hundred_are_decided_and_applied_within_three_seconds(workspace: Workspace, reviewer: User) -> None:
    Endpoint.objects.create(workspace=workspace, url="https://x.example", events=["hold.applied"], salt="s")
    holds = held(workspace, 500)
    began = time.perf_counter()

    found = verdicts.decide_many(workspace.pk, seen(holds), YES, reviewer)
    decided = time.perf_counter() - began
    Hold.objects.update(apply_at=timezone.now() - timedelta(hours=1))  # now() is when the test began
    began = time.perf_counter()
    applied = verdicts.apply_due()
    took = time.perf_counter() - began

    print(f"500 decided in {decided:.2f} s, applied in {took:.2f} s")
    assert all(each.done for each in found)
    assert (applied, Message.objects.count()) == (500, 500)
    assert decided < 3
    assert took < 3
