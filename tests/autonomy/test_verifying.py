"""Asking for a check: of a person, or of another agent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from dashboard.action_words import effect
from orchestration.autonomy import aims, ordering, verifying, work
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.models import Action, Kind, State, Target
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.outbox import endpoints
from orchestration.outbox.models import Message
from orchestration.policies.models import Decision
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.autonomy.ordered import aimed, at_run, done
from tests.outbox.conftest import inside, receiver
from tests.outbox.receiver import Receiver

__all__ = ["inside", "receiver"]  # fixtures
pytestmark = pytest.mark.django_db


def look_again() -> None:
    Action.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    work.carry_out()


def test_a_person_is_asked_with_evidence_and_the_answer_stands_with_the_act(
    workspace: Workspace, reviewer: User
) -> None:
    agent = make.agent(workspace)
    make.run(workspace, agents=[agent.pk], errors=3)
    told = {"about": {"question": "Did it pay twice?", "evidence": ["Two payouts of 620"]}}
    action = done(workspace, Kind.VERIFY, aimed(agent), told=told)
    hold = Hold.objects.get()
    assert (hold.question, hold.evidence[0]["text"]) == ("Did it pay twice?", "Two payouts of 620")
    assert "3 errors" in hold.evidence[1]["text"]
    look_again()
    action.refresh_from_db()
    assert (action.state, effect(action)) == (State.RUNNING, "Waits for the answer.")

    verdicts.decide(hold, Verdict(Answered.REJECT, "It did"), reviewer, revision=0)
    Hold.objects.update(apply_at=timezone.now() - timedelta(seconds=1))
    verdicts.apply_due()
    look_again()

    action.refresh_from_db()
    assert (action.state, action.result["answer"], action.result["by"]) == (State.DONE, "reject", "reviewer")
    assert effect(action) == "It is not as it should be, says reviewer."


def test_it_is_asked_once_however_often_it_is_tried(workspace: Workspace) -> None:
    action = done(workspace, Kind.VERIFY, at_run(make.run(workspace)))
    Action.objects.update(state=State.QUEUED, waits=False, due_at=timezone.now())
    work.carry_out()

    assert Hold.objects.count() == 1
    assert Hold.objects.get().run_id is not None
    assert action.kind == "verify"


def test_a_decision_is_checked_too(workspace: Workspace) -> None:
    made = Decision.objects.create(
        workspace=workspace,
        id=uuid7(),
        at=timezone.now(),
        agent="bot",
        action_type="refund",
        effect="allow",
        facts={},
        answer={},
    )
    aim = aims.aim(workspace.pk, Target.DECISION, str(made.id))
    assert aim == Aim(Target.DECISION, str(made.id), "refund by bot")

    done(workspace, Kind.VERIFY, aim)

    assert Hold.objects.get().question == "Was refund by bot decided as it should be?"


def test_a_question_that_is_taken_back_ends_the_act(workspace: Workspace) -> None:
    action = done(workspace, Kind.VERIFY, aimed(make.agent(workspace)))
    Hold.objects.update(state="cancelled")

    look_again()

    action.refresh_from_db()
    assert (action.state, "taken back" in action.error) == (State.DEAD, True)


@pytest.mark.usefixtures("inside")
def test_another_agent_is_asked_at_its_own_address_and_its_first_answer_stands(
    workspace: Workspace, admin: User, receiver: Receiver
) -> None:
    checker = make.agent(workspace, "checker")
    endpoints.add(workspace, receiver.url, [], admin, agent_id=checker.pk)
    action = done(workspace, Kind.VERIFY, aimed(make.agent(workspace)), told={"about": {"by": "desk/checker"}})
    assert "question" in Message.objects.get().data
    assert not Hold.objects.exists()

    assert verifying.answer(action, "reject", "Paid twice", "key:1")
    assert not verifying.answer(action, "approve", "", "key:2")
    look_again()

    action.refresh_from_db()
    assert (action.state, action.result["answer"], action.result["note"]) == (State.DONE, "reject", "Paid twice")


def test_an_agent_that_has_no_address_cannot_be_asked(workspace: Workspace) -> None:
    action = done(workspace, Kind.VERIFY, aimed(make.agent(workspace)), told={"about": {"by": "checker"}})

    assert (action.state, "address of its own" in action.error) == (State.DEAD, True)
    assert not ordering.undoable(action)
