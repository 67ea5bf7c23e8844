"""Small functions by which tests declare workflows, start runs and do their work."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F

from orchestration.autonomy.models import Kind
from orchestration.control import clocks, driving
from orchestration.workflows import declared, leases
from orchestration.workflows.declared_models import DeclaredRun, Effect, Task, TaskState
from orchestration.workflows.definition import parse
from orchestration.workflows.engine import Done, Failed
from orchestration.workflows.leases import Lease
from orchestration.workflows.starting import Start
from orchestration.workspaces.models import Workspace

BY = "person:operator"
QUARANTINE = Kind.QUARANTINE


def step(name: str, after: str = "", **more: Any) -> dict[str, Any]:
    return {"id": name, "owner": {"skill": "any"}, "after": after.split(), **more}


def undoable(name: str, after: str = "", **more: Any) -> dict[str, Any]:
    return step(name, after, compensation={"owner": {"skill": "undo"}, "name": f"Undo {name}"}, **more)


def declare(space: Workspace, *steps: dict[str, Any], name: str = "Refund", **more: Any) -> None:
    made = declared.save(space.pk, parse({"name": name, "steps": list(steps), **more}), BY)
    declared.publish(made.pk, BY, "It is right")


def begin(space: Workspace, name: str = "Refund", **told: Any) -> DeclaredRun:
    return driving.start(space.pk, name, Start(BY, told, key=secrets.token_hex(8)))[0]


def take(space: Workspace, agent: str = "worker", *skills: str, most: int = 1) -> list[Lease]:
    return driving.lease(leases.Wanted(space.pk, agent, skills or ("any", "undo"), most))


def one(space: Workspace, agent: str = "worker", *skills: str) -> Lease:
    (found,) = take(space, agent, *skills)
    return found


def finish(space: Workspace, lease: Lease, effects: Any = (), **result: Any) -> Task:
    return driving.complete(space.pk, lease.id, Done(result, effects))


def lose(space: Workspace, lease: Lease, error_class: str = "error", error: str = "It broke") -> Task:
    return driving.fail(space.pk, lease.id, Failed(error_class, error))


def work(space: Workspace, agent: str = "worker", most: int = 100) -> list[str]:
    """All there is to do, done; what was done, in order."""
    done: list[str] = []
    while found := take(space, agent, most=most):
        for lease in found:
            finish(space, lease, ok=True)
            done.append(f"undo {lease.step}" if lease.undo else lease.step)
    return done


def pass_time(space: Workspace, seconds: float) -> None:
    """As if all that has a time had been set so much earlier; and the clocks have looked. One row at a time, since
    workers that lock several in an order of their own may be at it."""
    earlier = timedelta(seconds=seconds)
    for key in list(Task.objects.filter(workspace_id=space.pk).values_list("id", flat=True)):
        one = Task.objects.filter(workspace_id=space.pk, id=key)
        one.update(due_at=F("due_at") - earlier, limit_at=F("limit_at") - earlier)
    clocks.sweep()


def states(run: DeclaredRun) -> dict[str, str]:
    rows = Task.objects.filter(workspace_id=run.workspace_id, run_id=run.id, undoes=None)
    return dict(rows.values_list("step", "state"))


def state(run: DeclaredRun) -> str:
    return str(DeclaredRun.objects.values_list("state", flat=True).get(workspace_id=run.workspace_id, id=run.id))


def effects(run: DeclaredRun) -> list[tuple[str, str]]:
    rows = Effect.objects.filter(workspace_id=run.workspace_id, run_id=run.id)
    return list(rows.order_by("number").values_list("step", "state"))


def task(run: DeclaredRun, name: str, undoes: UUID | None = None) -> Task:
    return Task.objects.get(workspace_id=run.workspace_id, run_id=run.id, step=name, undoes=undoes)


def ready(run: DeclaredRun) -> list[str]:
    return [name for name, each in states(run).items() if each == TaskState.READY]
