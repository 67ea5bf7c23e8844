"""The words of old questions go; that they were asked and answered stays; what waits is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from escalations import forgetting as cases
from escalations import intake
from escalations.models import Escalation, Precedent
from orchestration.control.dropping import losses
from orchestration.holds import forgetting, verdicts
from orchestration.holds.models import Answered, Hold, State
from orchestration.holds.verdicts import Verdict
from orchestration.workspaces.models import User, Workspace
from orchestration.workspaces.ways import Keeping
from tests.escalations.held import holds

pytestmark = pytest.mark.django_db
OLD = timedelta(days=40)


def asked(space: Workspace, ago: timedelta, person: User | None = None, **more: Any) -> Hold:
    """A question of so long ago, answered at once where somebody answers it."""
    at = timezone.now() - ago
    told = {"amount": 40, "context": {"reason": "late"}, "opened_at": at, "evidence": [{"kind": "photo"}]}
    (hold,) = holds(space, [told], **more)
    intake.take_in()
    if person:
        verdicts.decide(hold, Verdict(Answered.REJECT, "Too late"), person, revision=0)
        Hold.objects.filter(pk=hold.pk).update(state=State.APPLIED, decided_at=at, applied_at=at)
        intake.take_in()
    return hold


def before(days: int = 30) -> datetime:
    return timezone.now() - timedelta(days=days)


def test_the_words_go_and_the_answer_stays(workspace: Workspace, reviewer: User) -> None:
    hold = asked(workspace, OLD, reviewer)

    assert forgetting.forget_words(workspace.pk, before()) == 1
    assert cases.forget(workspace.pk, before()) == 1

    hold.refresh_from_db()
    assert [hold.question, hold.proposal, hold.why, hold.evidence, hold.note, hold.amend] == ["", "", "", [], "", None]
    assert (hold.verdict, hold.reviewer, hold.agent, hold.policy) == ("reject", reviewer, "refund-bot", "refund-limit")
    assert hold.forgotten_at is not None
    case = Escalation.objects.get(pk=hold.pk)
    assert (case.fields, case.text, case.subjects, case.open) == ({}, "", [], False)
    assert forgetting.forget_words(workspace.pk, before()) + cases.forget(workspace.pk, before()) == 0


def test_what_waits_or_ended_lately_keeps_its_words(workspace: Workspace, reviewer: User) -> None:
    waits, lately = asked(workspace, OLD), asked(workspace, timedelta(days=3), reviewer)
    ended = asked(workspace, OLD, reviewer)
    Hold.objects.filter(pk=ended.pk).update(applied_at=timezone.now())

    forgetting.forget_words(workspace.pk, before())
    cases.forget(workspace.pk, before())

    for hold in (waits, lately, ended):
        hold.refresh_from_db()
        assert hold.question
        assert Escalation.objects.get(pk=hold.pk).fields


def test_each_workspace_has_an_age_of_its_own(workspace: Workspace, reviewer: User) -> None:
    other = Workspace.objects.create(slug="other", name="Other")
    asked(workspace, OLD, reviewer)

    assert forgetting.forget_words(other.pk, before()) == 0
    assert Hold.objects.get().question


def test_bounds_of_precedents_go_when_they_ended_long_ago(workspace: Workspace, reviewer: User) -> None:
    made = {"workspace": workspace, "hold_id": asked(workspace, OLD).pk, "key": "k", "verdict": "approve"}
    said = {"said_by": reviewer, "said_at": before(60), "shape": {"words": {"a": ["b"]}}, "reason": "Such is it"}
    old = Precedent.objects.create(**made, **said, expires_at=before(31))
    new = Precedent.objects.create(**made, **said, expires_at=before(29))

    cases.sweep()
    cases.forget(workspace.pk, before())

    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.shape, old.reason, bool(new.shape)) == ({}, "", True)


def test_who_wants_less_is_told_how_many_words_go(workspace: Workspace, reviewer: User) -> None:
    asked(workspace, OLD, reviewer)
    asked(workspace, OLD)

    found = losses(workspace, Keeping(workspace.span_days, workspace.run_days, 30), timezone.now())

    assert {each.kind: each.n for each in found}["questions"] == 1
