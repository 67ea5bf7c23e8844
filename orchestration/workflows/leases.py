"""Work that agents take, keep and finish.

A lease is a task and its fence: each time that a task is taken the fence grows, so that whoever lost a lease can say
nothing any more, however late he comes. Taking is one statement that passes over what others hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orchestration.workflows import reporting, stored
from orchestration.workflows.declared import plan_of
from orchestration.workflows.declared_models import Task, TaskState
from orchestration.workflows.moving import IN_WORK, Moving

MOST = 100  # taken at once

Want = tuple[int, str, str]  # workspace, kind of owner, owner


class NotYours(Exception):
    """The lease is none any more; the text says what has become of the step."""


class NotThere(Exception):
    """There is no such lease in this workspace, or no such step any more."""

    def __str__(self) -> str:
        return "There is no such lease in this workspace."


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

    @property
    def owners(self) -> list[Want]:
        """An agent that says its application is also whoever a step names without one."""
        skills: list[Want] = [(self.workspace_id, "skill", skill) for skill in self.skills]
        names = dict.fromkeys((self.agent, self.agent.rpartition("/")[2] or self.agent))
        return [*((self.workspace_id, "agent", name) for name in names), *skills]


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


@dataclass(frozen=True, slots=True)
class _Around:
    """What a lease is told of its run, and of the effect that is to be taken back."""

    version_id: UUID
    input: Any
    results: dict[str, Any]
    effect: dict[str, Any] | None


def lease(wanted: Wanted) -> list[Lease]:
    """What is to do for this agent, taken; empty: nothing is. Of several owners the one whose work waits longest."""
    found: list[tuple[Task, Lease]] = []
    owners = waiting(wanted.owners)
    if not owners:
        return []
    now = timezone.now()
    with transaction.atomic():
        for _, kind, owner in owners:
            if len(found) < wanted.most:
                found += _take(wanted, kind, owner, wanted.most - len(found), now)
        if found:
            told = [reporting.of_step(task, each.name, "started", now) for task, each in found]
            stored.execute(reporting.DELIVER, reporting.parcel(wanted.workspace_id, told, now))
            reporting.hasten()
    return [each for _, each in found]


def waiting(wanted: Sequence[Want]) -> list[Want]:
    """Those for whom something is to do, what has waited longest first."""
    columns: list[Any] = [[each[place] for each in wanted] for place in range(3)]
    return stored.execute(_WAITING, [*columns, timezone.now()]).fetchall()


def keep(workspace_id: int, lease_id: LeaseId) -> Alive:
    """A sign of life: the lease begins anew, up to the limit of the attempt. Raises NotYours, NotThere."""
    values = {"place": workspace_id, "task": lease_id.task, "fence": lease_id.fence, "now": timezone.now()}
    row = stored.execute(_KEEP, values).fetchone()
    if row is None:
        raise lost(workspace_id, lease_id)
    return Alive(*row)


def find(workspace_id: int, lease_id: LeaseId) -> Task | None:
    """The task of a lease, whoever has it now."""
    return Task.objects.filter(workspace_id=workspace_id, id=lease_id.task).first()


def held(task: Task, lease_id: LeaseId) -> bool:
    return task.state in IN_WORK and task.fence == lease_id.fence


def lost(workspace_id: int, lease_id: LeaseId) -> NotYours | NotThere:
    task = find(workspace_id, lease_id)
    if task is None:
        return NotThere()
    if task.state in IN_WORK:
        return NotYours(
            f"This lease ended, and the step is with {task.holder or 'another'} now: attempt {task.attempt}."
        )
    state = TaskState(task.state).label.lower()
    return NotYours(f"This lease ended. The step is now: {state}.")


# The time is a value: the transaction's own stands still, and no index is asked by a clock that runs.
# What is taken is chosen once (`materialized`): the planner may else choose again for each row, and take too many.
_TAKE = f"""
with chosen as materialized (
    select id from workflows_task where workspace_id = %(place)s and state = 'ready' and due_at <= %(now)s
    and owner_kind = %(kind)s and owner = %(owner)s
    and not workflow = any(%(paused)s) order by due_at limit %(most)s for update skip locked
), taken as (
    update workflows_task t set state = 'leased', fence = t.fence + 1, attempt = t.attempt + 1, holder = %(who)s,
        key_id = %(key)s, leased_at = %(now)s, limit_at = %(now)s + make_interval(secs => t.time_limit_s),
        due_at = %(now)s + make_interval(secs => least(t.lease_s, t.time_limit_s))
    from chosen where t.workspace_id = %(place)s and t.id = chosen.id
    returning {", ".join(f"t.{name}" for name in stored.TASK)}
)
select taken.*, r.version_id, r.input, (
    select jsonb_object_agg(d.step, d.result) from workflows_task d
    where d.workspace_id = %(place)s and d.run_id = r.id and d.state = 'done' and d.undoes is null
), case when taken.undoes is not null then (
    select jsonb_build_object('effect', e.id, 'name', e.name, 'key', e.key, 'data', e.data)
    from workflows_effect e where e.workspace_id = %(place)s and e.id = taken.undoes
) end
from taken join workflows_declaredrun r on r.workspace_id = %(place)s and r.id = taken.run_id
order by taken.ready_at, taken.id
"""
_KEEP = """
with kept as (
    update workflows_task set due_at = least(%(now)s + make_interval(secs => lease_s), limit_at)
    where workspace_id = %(place)s and id = %(task)s and fence = %(fence)s and state in ('leased', 'called')
    returning due_at, run_id, undoes
)
select kept.due_at, r.state <> 'running' and kept.undoes is null
from kept join workflows_declaredrun r on r.workspace_id = %(place)s and r.id = kept.run_id
"""
_WAITING = """
select x.w, x.k, x.o from unnest(%s::int[], %s::text[], %s::text[]) as x(w, k, o), lateral (
    select due_at from workflows_task t where t.workspace_id = x.w and t.state = 'ready' and t.owner_kind = x.k
    and t.owner = x.o and t.due_at <= %s order by due_at limit 1
) oldest order by oldest.due_at
"""


def _take(wanted: Wanted, kind: str, owner: str, most: int, now: datetime) -> list[tuple[Task, Lease]]:
    values: dict[str, Any] = {"place": wanted.workspace_id, "who": wanted.agent, "key": wanted.key_id, "now": now}
    values |= {"kind": kind, "owner": owner, "paused": list(wanted.paused), "most": min(most, MOST)}
    found = []
    for *row, version_id, given, results, effect in stored.execute(_TAKE, values):
        task = Task.from_db("default", stored.TASK, row)
        found.append((task, _lease(task, _Around(version_id, given, results or {}, effect))))
    return found


def _lease(task: Task, around: _Around) -> Lease:
    step = plan_of(task.workspace_id, around.version_id).step(task.step)
    effect, results = around.effect, around.results
    before = [*step.after, task.step] if effect else step.after
    called = (step.compensation.name if effect and step.compensation else "") or step.name
    return Lease(
        id=LeaseId(task.id, task.fence),
        run=task.run_id,
        workflow=task.workflow,
        step=task.step,
        name=called,
        attempt=task.attempt,
        key=f"undo:{task.undoes}" if effect else f"{task.run_id}:{task.step}",
        input=around.input,
        results={each: results[each] for each in before if each in results},
        undo=effect,
        lease_s=task.lease_s,
        expires_at=task.due_at,
        limit_at=task.limit_at or task.due_at,
    )


def described(m: Moving, task: Task) -> Lease:
    """A task that is in work, as whoever does it is told, while its run is moved on."""
    done = {each.step: each.result for each in m.tasks.values() if each.state == TaskState.DONE}
    effect = next((each for each in m.effects if each.id == task.undoes), None) if task.undoes else None
    told = {"effect": str(effect.id), "name": effect.name, "key": effect.key, "data": effect.data} if effect else None
    return _lease(task, _Around(m.run.version_id, m.run.input, done, told))
