"""Holds become cases and find their batches, each exactly once."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from escalations import intake
from escalations.models import Batch, Escalation
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.workspaces.models import User, Workspace
from tests.escalations import held

pytestmark = pytest.mark.django_db
YES = Verdict(Answered.APPROVE)


def refunds(workspace: Workspace, n: int = 12) -> list[Hold]:
    return held.holds(workspace, [{"amount": 500 + 10 * place, "context": {"item_back": True}} for place in range(n)])


def test_like_holds_are_one_batch_which_the_holds_name(workspace: Workspace) -> None:
    refunds(workspace)

    assert intake.take_in() == 12

    batch = Batch.objects.get()
    assert (batch.cases, batch.differing, batch.title) == (12, 0, "Refund limit")
    assert set(Hold.objects.values_list("batch", flat=True)) == {batch.pk}
    assert sorted(Escalation.objects.values_list("number", flat=True)) == list(range(1, 13))


def test_when_nothing_has_changed_nothing_is_done(workspace: Workspace) -> None:
    refunds(workspace)
    intake.take_in()
    before = list(Batch.objects.values())

    assert intake.take_in() == 0
    assert list(Batch.objects.values()) == before


def test_what_joins_a_batch_takes_few_statements_however_many_they_are(
    workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    refunds(workspace)
    intake.take_in()
    refunds(workspace, 10)

    with django_assert_max_num_queries(12):  # two of them begin and end the transaction
        assert intake.take_in() == 10


def test_a_case_that_is_not_like_the_rest_comes_first_and_is_not_selected(workspace: Workspace) -> None:
    refunds(workspace)
    odd = held.holds(workspace, [{"amount": 560, "context": {"item_back": False}}])[0]

    intake.take_in()

    case = Escalation.objects.get(pk=odd.pk)
    assert (case.standing, case.differs, case.selected) == ("differs", ["context.item_back"], False)
    assert (Batch.objects.get().cases, Batch.objects.get().differing) == (13, 1)


def test_a_decided_case_leaves_and_one_taken_back_returns(workspace: Workspace, reviewer: User) -> None:
    hold = refunds(workspace, 3)[0]
    intake.take_in()
    hold.refresh_from_db()

    verdicts.decide(hold, YES, reviewer, revision=0)
    intake.take_in()
    assert not Escalation.objects.get(pk=hold.pk).open
    assert Batch.objects.get().cases == 2

    verdicts.undo(hold, reviewer)
    intake.look_again(workspace.pk, [hold.pk])
    assert Escalation.objects.get(pk=hold.pk).open
    assert Batch.objects.get().cases == 3


def test_a_batch_whose_last_case_was_decided_is_closed(workspace: Workspace, reviewer: User) -> None:
    hold = refunds(workspace, 1)[0]
    intake.take_in()

    verdicts.decide(hold, YES, reviewer, revision=0)
    intake.take_in()

    assert Batch.objects.get().closed_at is not None
