"""On its first day the demo knows how fast its reviewers are, how often they agree, and what a sample has shown."""

from __future__ import annotations

import pytest
from django.utils import timezone

from escalations import pace, sampling, strength
from orchestration.config import demo_desk
from orchestration.config.demo_past import DAYS, EACH, TARGETS, TOPICS
from orchestration.holds.models import Hold
from orchestration.holds.placing import with_news
from orchestration.workflows.models import Workflow
from orchestration.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db


def test_pace_agreement_capacity_and_the_sample_are_known_at_once(
    workspace: Workspace, reviewer: User, admin: User
) -> None:
    now = timezone.now()
    for _ in range(2):  # a second start adds nothing
        demo_desk.ensure_desk(workspace)

    measured = pace.measures(pace.said(workspace.pk, now))
    for person in (reviewer, admin):
        assert {each.topic for each in measured[person.pk]} == set(TOPICS)
        assert all(each.enough and each.seconds for each in measured[person.pk])
    known = strength.write(workspace)
    assert known.a_day is not None
    assert 100 < known.a_day < 400
    found = sampling.estimate(workspace.pk, now)
    assert (found.enough, found.waiting) == (True, 8)
    assert Hold.objects.count() == sum(EACH.values()) * len(TOPICS)
    assert not with_news()
    assert set(Workflow.objects.exclude(alone_target=None).values_list("name", flat=True)) == set(TARGETS)
    assert min(Hold.objects.values_list("opened_at", flat=True)) > now - (DAYS + 1) * pace.LATELY / 90
