"""What reviewers can bear, as the overview reads it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from escalations import strength
from escalations.models import Duty, Escalation
from orchestration.holds import capacity
from orchestration.workspaces.models import Membership, User, Workspace
from tests.escalations.conftest import refunds
from tests.escalations.duty import NIGHT_OFF, member, works

pytestmark = pytest.mark.django_db


def test_a_day_is_the_mean_of_a_week_of_those_who_are_there(workspace: Workspace, reviewer: User) -> None:
    works(workspace, reviewer, NIGHT_OFF)
    works(workspace, member(workspace, "always"), [])
    works(workspace, member(workspace, "away"), [], timezone.now() + timedelta(days=30))
    Duty.objects.update(minutes_a_day=70)

    found = strength.write(workspace)

    assert (found.people, found.minutes_a_day) == (2, 70 * 5 / 7 + 70)


def test_whoever_left_bears_nothing(workspace: Workspace, reviewer: User) -> None:
    works(workspace, reviewer, [])
    strength.sweep()
    Membership.objects.filter(user=reviewer).update(roles=["viewer"])
    strength.sweep()

    found = capacity.strength(workspace.pk)
    assert found is not None
    assert (found.people, found.a_day) == (0, None)


@pytest.mark.parametrize(("cases", "a_day"), [(29, None), (30, 240 * 60 / 120)])
def test_a_case_takes_what_is_measured_of_enough(
    workspace: Workspace, reviewer: User, cases: int, a_day: float | None
) -> None:
    works(workspace, reviewer, [])
    refunds(workspace, cases, odd=False)
    Escalation.objects.update(open=False, seconds=120, closed_at=timezone.now())

    assert strength.write(workspace).a_day == a_day
