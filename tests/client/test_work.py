"""Agents that work at declared runs with the client, on the served application."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from orchestration.client import Baton, Refused, StepFailed
from orchestration.workflows.declared_models import Task
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests.api.conftest import tenant
from tests.control import flows
from tests.waiting import came_true

__all__ = ["tenant"]  # fixtures


@pytest.fixture
def baton(served: int, tenant: Workspace) -> Iterator[Baton]:
    key = create_key(tenant, "agents", ["work", "ingest"])[1]
    agent = Baton(f"http://127.0.0.1:{served}", key, service="desk")
    yield agent
    agent.close()


def begin(baton: Baton) -> str:
    run = baton.start("Refund", {"order": 17}, key="order-17")
    assert run
    return str(run["id"])


def test_a_worker_does_steps_as_they_become_due(baton: Baton, tenant: Workspace) -> None:
    flows.declare(tenant, flows.step("look"), flows.undoable("pay", "look"))
    stop, done = threading.Event(), []
    begin(baton)
    begin(baton)

    for step in baton.work(agent="payer", skill="any", wait_s=1, stop=stop):
        with step:
            step.result = {"paid": step.input["order"], "after": sorted(step.results)}
            step.effects.append({"name": "A payment", "key": step.key})
        done.append(step.step)
        if len(done) == 2:
            stop.set()

    assert done == ["look", "pay"]
    assert Task.objects.get(workspace_id=tenant.pk, step="pay").result == {"paid": 17, "after": ["look"]}


def test_a_step_that_goes_wrong_is_tried_again_as_its_class_says(baton: Baton, tenant: Workspace) -> None:
    flows.declare(tenant, flows.step("pay", retry={"rules": [{"on": ["busy"], "wait_s": 0}]}))
    begin(baton)

    for wrong in (StepFailed("busy", "Later"), ZeroDivisionError("none")):
        step = (baton.lease(agent="payer", skill="any", wait_s=1) or [])[0]
        with suppress(ZeroDivisionError), step:
            raise wrong

    task = Task.objects.get(workspace_id=tenant.pk, step="pay")
    assert (task.state, task.error_class, task.error, task.attempt) == (
        "failed",
        "error",
        "ZeroDivisionError: none",
        2,
    )


def test_a_step_is_kept_while_its_block_lasts_and_a_lost_one_is_told(baton: Baton, tenant: Workspace) -> None:
    flows.declare(tenant, flows.step("pay", lease_s=1))
    begin(baton)
    step = (baton.lease(agent="payer", skill="any") or [])[0]
    with step:
        first = Task.objects.get(workspace_id=tenant.pk).due_at
        assert came_true(lambda: Task.objects.get(workspace_id=tenant.pk).due_at > first)
        assert came_true(lambda: forgotten(tenant) and step.lost)  # a sign of life may come in between

    assert Task.objects.get(workspace_id=tenant.pk).state == "ready"


def test_what_nobody_declared_cannot_be_started(baton: Baton) -> None:
    with pytest.raises(Refused) as refused:
        baton.start("Nothing")

    assert [each["field"] for each in refused.value.errors] == ["workflow"]


def forgotten(tenant: Workspace) -> bool:
    flows.pass_time(tenant, 5)
    return True
