"""What an agent is asked to do goes to its own address, and its answer stands with the act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.autonomy import work
from orchestration.autonomy.models import Action, Kind, State
from orchestration.outbox import endpoints, sweep
from orchestration.outbox.models import Endpoint, Message
from orchestration.outbox.targets import Refused
from orchestration.registry.models import Agent
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.autonomy.ordered import aimed, at_run, done
from tests.outbox.conftest import inside, receiver
from tests.outbox.receiver import Receiver

__all__ = ["inside", "receiver"]  # fixtures
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("inside")]


@pytest.fixture
def agent(workspace: Workspace, admin: User, receiver: Receiver) -> Agent:
    made = make.agent(workspace)
    endpoints.add(workspace, receiver.url, [], admin, agent_id=made.pk)
    return made


@pytest.fixture
def general(workspace: Workspace, admin: User, receiver: Receiver) -> Endpoint:
    return endpoints.add(workspace, f"{receiver.url}all", ["action.asked"], admin)[0]


def look_again() -> None:
    Action.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    work.carry_out()


def test_it_is_asked_to_try_again_instead_of_whoever_takes_it_for_all(
    workspace: Workspace, agent: Agent, general: Endpoint
) -> None:
    run = make.run(workspace, agents=[agent.pk])

    action = done(workspace, Kind.RETRY, at_run(run))
    sweep.deliver()
    look_again()

    action.refresh_from_db()
    assert [message.endpoint.agent_id for message in Message.objects.all()] == [agent.pk]
    assert action.state == State.DONE
    assert [(each["status"], each["error"]) for each in action.result["answers"]] == [(200, "")]


def test_a_run_of_agents_without_one_is_asked_of_by_the_general_address(
    workspace: Workspace, agent: Agent, general: Endpoint
) -> None:
    done(workspace, Kind.RETRY, at_run(make.run(workspace, agents=[make.agent(workspace, "other").pk])))

    assert Message.objects.get().endpoint == general


@pytest.mark.parametrize("status", [200, 410])
def test_a_pause_holds_at_once_and_the_agents_answer_is_noted_later(
    workspace: Workspace, agent: Agent, receiver: Receiver, status: int
) -> None:
    receiver.answer = lambda got: (status, {}, b"")

    action = done(workspace, Kind.PAUSE, aimed(agent))
    assert (action.state, action.waits, action.result["asked"]) == (State.DONE, True, 1)
    sweep.deliver()
    Message.objects.exclude(state="done").update(state="dead")
    look_again()

    action.refresh_from_db()
    assert (action.state, action.waits) == (State.DONE, False)
    assert [each["status"] for each in action.result["answers"]] == [status]


def test_an_address_inside_a_network_is_refused_for_an_agent_too(
    workspace: Workspace, admin: User, settings: Any
) -> None:
    settings.WEBHOOK_NETWORKS = []
    with pytest.raises(Refused, match="inside a network"):
        endpoints.add(workspace, "https://127.0.0.1/", [], admin, agent_id=make.agent(workspace).pk)
