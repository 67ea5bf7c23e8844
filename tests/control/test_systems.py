"""Systems and models, and how often they fail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.control import digest, systems
from orchestration.telemetry.spans import Kind
from orchestration.workspaces.models import Workspace
from tests import make
from tests.control.test_digest import Sender

pytestmark = pytest.mark.django_db


def listed(workspace: Workspace, **wanted: Any) -> list[systems.SystemLine]:
    return systems.systems(workspace.pk, timedelta(hours=1), timezone.now(), **wanted)


def test_a_system_counts_the_calls_of_all_agents_and_of_none(workspace: Workspace) -> None:
    payments = make.system(workspace)
    make.calls(workspace, make.agent(workspace), on=payments, n=3, failures=1)
    make.calls(workspace, make.agent(workspace, "billing"), on=payments, n=2)
    make.calls(workspace, None, on=payments, n=1, failures=1)

    (line,) = listed(workspace)

    assert (line.calls, line.failures, line.agents) == (6, 2, 2)
    assert line.failure_rate == pytest.approx(1 / 3)


def test_a_model_counts_its_tokens(workspace: Workspace) -> None:
    model = make.system(workspace, "gpt-4.1", "model")
    make.calls(workspace, make.agent(workspace), on=model, kind=Kind.LLM, n=3, tokens=(100, 20), cost=5)

    (line,) = listed(workspace, kind="model")

    assert (line.tokens.input, line.tokens.output) == (100, 20)
    assert listed(workspace, kind="system") == []


def test_one_system_tells_who_uses_it(workspace: Workspace) -> None:
    payments = make.system(workspace)
    make.calls(workspace, make.agent(workspace), on=payments, n=3, failures=1)
    make.calls(workspace, None, on=payments, n=1)

    found = systems.system(workspace.pk, "payments", timedelta(hours=1), timezone.now())

    assert found is not None
    assert [(user.agent, user.calls) for user in found.users] == [("refund", 3), ("", 1)]
    assert (found.system.calls, found.system.agents, sum(found.calls), sum(found.failures)) == (4, 1, 4, 1)


@pytest.mark.usefixtures("days")
def test_what_asks_a_person_is_no_system(workspace: Workspace) -> None:
    sender = Sender(workspace)
    root = sender.span("invoke_agent desk", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk", took=9)
    for tool in ("escalate_to_human", "hub.request-approval", "crm"):
        sender.span("execute_tool", root, at=2, gen_ai__operation__name="execute_tool", gen_ai__tool__name=tool)
    sender.deliver()

    digest.digest(workspace.pk)

    assert [(line.name, line.calls) for line in listed(workspace)] == [("crm", 1)]


def test_systems_of_another_workspace_are_not_found(workspace: Workspace) -> None:
    make.system(make.workspace("elsewhere"))

    assert listed(workspace) == []
    assert systems.system(workspace.pk, "payments", timedelta(hours=1), timezone.now()) is None


@pytest.mark.parametrize("sort", systems.SYSTEM_SORTS)
def test_every_sort_takes_systems_of_which_nothing_was_heard_lately(workspace: Workspace, sort: str) -> None:
    make.calls(workspace, None, on=make.system(workspace, "unused"), at=timezone.now() - timedelta(days=2))
    make.calls(workspace, None, on=make.system(workspace))

    assert len(listed(workspace, sort=sort)) == 2


def test_a_system_that_was_never_called_is_not_listed(workspace: Workspace) -> None:
    make.system(workspace, "lookup_customer")

    assert listed(workspace) == []
