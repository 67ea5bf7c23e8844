"""A declared run while it is moved on: its row and its tasks are locked, changes are gathered, and all of it is written
once, with what it tells, in the transaction that runs.

Whoever moves a run locks its row first, then its tasks. Leasing locks tasks alone and waits for none, so that the two
never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from orchestration.ledger.entries import Draft
from orchestration.workflows import reporting, stored
from orchestration.workflows.declared import plan_of
from orchestration.workflows.declared_models import DeclaredRun, Effect, Task, TaskState
from orchestration.workflows.definition import Definition
from orchestration.workflows.plans import Compensation, StepPlan
from orchestration.workflows.stored import Changes

IN_WORK = (TaskState.LEASED, TaskState.CALLED)
OPEN = (TaskState.BLOCKED, TaskState.READY, TaskState.ASKED, *IN_WORK)


@dataclass(slots=True)
class Moving:
    """`tasks` are the run's steps, in the order of its plan; `undoing` what takes back effects, by effect."""

    run: DeclaredRun
    plan: Definition
    tasks: dict[str, Task]
    undoing: dict[UUID, Task]
    at: datetime
    before: Mapping[str, Any] = field(default_factory=dict)  # of the run as it is stored; nothing: it is new
    withdrawn: bool = False  # persons that were asked have nothing to answer any more
    _effects: list[Effect] | None = None
    _new_effects: list[Effect] = field(default_factory=list)
    _new_tasks: list[Task] = field(default_factory=list)
    _changed: dict[UUID, Task] = field(default_factory=dict)
    _changed_effects: dict[UUID, Effect] = field(default_factory=dict)
    _events: list[Mapping[str, Any]] = field(default_factory=list)
    _notes: list[Draft] = field(default_factory=list)

    @property
    def all_tasks(self) -> list[Task]:
        return [*self.tasks.values(), *self.undoing.values()]

    @property
    def effects(self) -> list[Effect]:
        """Oldest first."""
        if self._effects is None:
            rows = Effect.objects.filter(workspace_id=self.run.workspace_id, run_id=self.run.id)
            self._effects = [*rows.order_by("number"), *self._new_effects]
        return self._effects

    def plan_for(self, task: Task) -> StepPlan | Compensation:
        step = self.plan.step(task.step)
        return step.compensation if task.undoes and step.compensation else step

    def name_of(self, task: Task) -> str:
        """Of a compensation its own, or that of what it takes back."""
        step = self.plan.step(task.step)
        return (step.compensation.name if task.undoes and step.compensation else "") or step.name

    def change(self, task: Task, **values: Any) -> None:
        for name, value in values.items():
            setattr(task, name, value)
        self._changed[task.id] = task

    def change_effect(self, effect: Effect, **values: Any) -> None:
        for name, value in values.items():
            setattr(effect, name, value)
        self._changed_effects[effect.id] = effect

    def add_effect(self, task: Task, name: str, key: str, data: Any) -> None:
        self.run.effects += 1
        made = Effect(
            workspace_id=self.run.workspace_id,
            run_id=self.run.id,
            number=self.run.effects,
            step=task.step,
            name=name,
            key=key,
            data=data,
            done_at=self.at,
        )
        self._new_effects.append(made)
        if self._effects is not None:
            self._effects.append(made)

    def add_undoing(self, task: Task, effect: Effect) -> None:
        self._new_tasks.append(task)
        self.undoing[effect.id] = task

    def tell_run(self, what: str, error: str = "") -> None:
        self._events.append(reporting.of_run(self.run, what, self.at, error))

    def tell_step(self, task: Task, what: str, error: str = "") -> None:
        self._events.append(reporting.of_step(task, self.name_of(task), what, self.at, error))

    def note(self, kind: str, actor: str, more: Mapping[str, Any] | None = None) -> None:
        self._notes.append(reporting.entry(self.run, kind, actor, self.at, more))

    def save(self) -> None:
        stands, new = _values(self.run), {each.id for each in self._new_tasks}
        Changes(
            runs=[self.run] if self.before and stands != self.before else (),
            tasks=[task for task in self._changed.values() if task.id not in new],
            effects=self._changed_effects.values(),
            new_runs=[] if self.before else [self.run],
            new_tasks=self._new_tasks,
            new_effects=self._new_effects,
            events=self._events,
            entries=self._notes,
        ).write(self.run.workspace_id, self.at)


def begun(run: DeclaredRun, plan: Definition, tasks: dict[str, Task], at: datetime) -> Moving:
    """A run that is not stored yet."""
    return Moving(run, plan, tasks, {}, at, _new_tasks=list(tasks.values()))


def moving(workspace_id: int, run_id: UUID, *, wait: bool = True) -> Moving | None:
    """The run, locked in the transaction that runs; None where there is none, or, not waiting, where another has it."""
    return _moving(stored.lock(workspace_id, run=run_id, wait=wait))


def moving_of(workspace_id: int, task_id: UUID) -> Moving | None:
    """The run of that task; None where there is none."""
    return _moving(stored.lock(workspace_id, task=task_id))


def _moving(run: DeclaredRun | None) -> Moving | None:
    if run is None:
        return None
    plan = plan_of(run.workspace_id, run.version_id)
    tasks: dict[str, Task] = {}
    undoing: dict[UUID, Task] = {}
    for task in stored.tasks_of(run):
        if task.undoes:
            undoing[task.undoes] = task
        else:
            tasks[task.step] = task
    steps = {step.id: tasks[step.id] for step in plan.steps}
    return Moving(run, plan, steps, undoing, timezone.now(), _values(run))


def _values(run: DeclaredRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in stored.CHANGING}
