"""Work that agents take, keep and finish.

A lease is a task and its fence: each time that a task is taken the fence grows, so that whoever lost a lease can say
nothing any more, however late he comes. Taking is one statement that passes over what others hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from orchestration.workflows import reporting
from orchestration.workflows.declared import plan_of
from orchestration.workflows.declared_models import DeclaredRun, DeclaredState, Effect, Task, TaskState
from orchestration.workflows.moving import IN_WORK, Moving

MOST = 100  # taken at once


class NotYours(Exception):
    """The lease is none any more; the text says what has become of the step."""


@dataclass(frozen=True, slots=True)
class LeaseId:
    """As it is written: the task's id, a dot, the fence."""

    task: UUID
    fence: int

    @classmethod
    def read(cls, text: str) -> LeaseId | None:
        task, _, fence = text.partition(".")
        try:
            return cls(UUID(task), int(fence)) if fence.isascii() and fence.isdigit() and len(fence) < 10 else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.task}.{self.fence}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who takes what: steps that name the agent, and those that name one of the skills. `key_id`: of the API key.
    `paused`: workflows of which nothing may be taken now."""

    workspace_id: int
    agent: str
    skills: Sequence[str] = ()
    most: int = 1
    key_id: int | None = None
    paused: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """A step that was taken, with what it is to be done with. `key` is the same at every attempt. `undo`: the effect
    that is to be taken back."""

    id: LeaseId
    run: UUID
    workflow: str
    step: str
    name: str
    attempt: int
    key: str
    input: Any
    results: dict[str, Any]
    undo: dict[str, Any] | None
    lease_s: float
    expires_at: datetime
    limit_at: datetime


@dataclass(frozen=True, slots=True)
class Alive:
    """`stop`: the run was ended; whoever works for it may as well stop."""

    expires_at: datetime
    stop: bool


@dataclass(slots=True)
class _Around:
    """What leases are told of their runs."""

    runs: dict[UUID, DeclaredRun]
    results: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    effects: dict[UUID, Effect] = field(default_factory=dict)


def lease(wanted: Wanted) -> list[Lease]:
    """What is to do for this agent, taken; empty: nothing is."""
    with transaction.atomic():
        tasks = _take(wanted)
        if not tasks:
            return []
        around = _around(wanted.workspace_id, tasks)
        made = [_lease(task, around) for task in tasks]
        now = timezone.now()
        told = [reporting.of_step(task, each.name, "started", now) for task, each in zip(tasks, made, strict=True)]
        reporting.tell(wanted.workspace_id, told, now)
    return made


def waiting(wanted: Sequence[tuple[int, str, str]]) -> set[tuple[int, str, str]]:
    """Of (workspace, kind of owner, owner) those for whom something is to do."""
    columns: list[Any] = [[each[place] for each in wanted] for place in range(3)]
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [*columns, timezone.now()])
        return {(row[0], row[1], row[2]) for row in cursor}


def keep(workspace_id: int, lease_id: LeaseId) -> Alive:
    """A sign of life: the lease begins anew, up to the limit of the attempt. Raises NotYours."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [timezone.now(), workspace_id, lease_id.task, lease_id.fence])
        row = cursor.fetchone()
    if row is None:
        raise lost(workspace_id, lease_id)
    expires_at, run_id = row
    state = DeclaredRun.objects.filter(workspace_id=workspace_id, id=run_id).values_list("state", flat=True).get()
    undoes = Task.objects.filter(workspace_id=workspace_id, id=lease_id.task).values_list("undoes", flat=True).get()
    return Alive(expires_at, stop=state != DeclaredState.RUNNING and undoes is None)


def find(workspace_id: int, lease_id: LeaseId) -> Task | None:
    """The task of a lease, whoever has it now."""
    return Task.objects.filter(workspace_id=workspace_id, id=lease_id.task).first()


def held(task: Task, lease_id: LeaseId) -> bool:
    return task.state in IN_WORK and task.fence == lease_id.fence


def lost(workspace_id: int, lease_id: LeaseId) -> NotYours:
    task = find(workspace_id, lease_id)
    if task is None:
        return NotYours("There is no such step any more.")
    if task.state in IN_WORK:
        return NotYours(
            f"This lease ended, and the step is with {task.holder or 'another'} now: attempt {task.attempt}."
        )
    state = TaskState(task.state).label.lower()
    return NotYours(f"This lease ended. The step is now: {state}.")


# The time is a value: the transaction's own stands still, and no index is asked by a clock that runs.
# What is taken is chosen once (`materialized`): the planner may else choose again for each row, and take too many.
_TAKE = """
with chosen as materialized (
    select id from workflows_task where workspace_id = %(place)s and state = 'ready' and due_at <= %(now)s
    and (owner_kind = 'agent' and owner = %(who)s or owner_kind = 'skill' and owner = any(%(skills)s))
    and not workflow = any(%(paused)s) order by due_at limit %(most)s for update skip locked
)
update workflows_task t set state = 'leased', fence = t.fence + 1, attempt = t.attempt + 1, holder = %(who)s,
    key_id = %(key)s, leased_at = %(now)s, limit_at = %(now)s + make_interval(secs => t.time_limit_s),
    due_at = %(now)s + make_interval(secs => least(t.lease_s, t.time_limit_s))
from chosen where t.workspace_id = %(place)s and t.id = chosen.id returning t.id
"""
_KEEP = """
update workflows_task set due_at = least(%s + make_interval(secs => lease_s), limit_at)
where workspace_id = %s and id = %s and fence = %s and state in ('leased', 'called')
returning due_at, run_id
"""
_WAITING = """
select w, k, o from unnest(%s::int[], %s::text[], %s::text[]) as x(w, k, o) where exists (
    select 1 from workflows_task t where t.workspace_id = w and t.state = 'ready' and t.owner_kind = k and t.owner = o
    and t.due_at <= %s)
"""


def _take(wanted: Wanted) -> list[Task]:
    place = wanted.workspace_id
    values: dict[str, Any] = {"place": place, "who": wanted.agent, "key": wanted.key_id, "now": timezone.now()}
    values |= {"skills": list(wanted.skills), "paused": list(wanted.paused), "most": min(wanted.most, MOST)}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        ids = [row[0] for row in cursor]
    return list(Task.objects.filter(workspace_id=place, id__in=ids).order_by("ready_at", "id")) if ids else []


def _around(workspace_id: int, tasks: Sequence[Task]) -> _Around:
    ids = {task.run_id for task in tasks}
    runs = DeclaredRun.objects.filter(workspace_id=workspace_id, id__in=ids)
    around = _Around({run.id: run for run in runs})
    done = Task.objects.filter(workspace_id=workspace_id, run_id__in=ids, state=TaskState.DONE, undoes=None)
    for run_id, step, result in done.values_list("run_id", "step", "result"):
        around.results.setdefault(run_id, {})[step] = result
    undone = [task.undoes for task in tasks if task.undoes]
    if undone:
        found = Effect.objects.filter(workspace_id=workspace_id, id__in=undone)
        around.effects = {effect.id: effect for effect in found}
    return around


def _lease(task: Task, around: _Around) -> Lease:
    run = around.runs[task.run_id]
    step = plan_of(task.workspace_id, run.version_id).step(task.step)
    effect = around.effects.get(task.undoes) if task.undoes else None
    results = around.results.get(task.run_id, {})
    before = [*step.after, task.step] if effect else step.after
    called = (step.compensation.name if effect and step.compensation else "") or step.name
    return Lease(
        id=LeaseId(task.id, task.fence),
        run=task.run_id,
        workflow=task.workflow,
        step=task.step,
        name=called,
        attempt=task.attempt,
        key=f"undo:{effect.id}" if effect else f"{task.run_id}:{task.step}",
        input=run.input,
        results={each: results[each] for each in before if each in results},
        undo={"effect": str(effect.id), "name": effect.name, "key": effect.key, "data": effect.data}
        if effect
        else None,
        lease_s=task.lease_s,
        expires_at=task.due_at,
        limit_at=task.limit_at or task.due_at,
    )


def described(m: Moving, task: Task) -> Lease:
    """A task that is in work, as whoever does it is told, while its run is moved on."""
    done = {each.step: each.result for each in m.tasks.values() if each.state == TaskState.DONE}
    effects = {effect.id: effect for effect in m.effects} if task.undoes else {}
    return _lease(task, _Around({m.run.id: m.run}, {m.run.id: done}, effects))
