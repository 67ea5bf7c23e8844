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

from orchestration.ledger import entries
from orchestration.ledger.entries import Draft
from orchestration.workflows import reporting
from orchestration.workflows.declared import plan_of
from orchestration.workflows.declared_models import DeclaredRun, Effect, Task, TaskState
from orchestration.workflows.definition import Definition
from orchestration.workflows.plans import Compensation, StepPlan

IN_WORK = (TaskState.LEASED, TaskState.CALLED)
OPEN = (TaskState.BLOCKED, TaskState.READY, TaskState.ASKED, *IN_WORK)
_TASK = (
    "state",
    "retries",
    "fence",
    "attempt",
    "holder",
    "hold_id",
    "due_at",
    "limit_at",
    "result",
    "error_class",
    "error",
    "ready_at",
    "leased_at",
    "ended_at",
)
_RUN = ("state", "retries_left", "effects", "error", "ended_at", "undo_by", "undo_reason")
_EFFECT = ("state", "error", "asked_at", "ended_at")


@dataclass(slots=True)
class Moving:
    """`tasks` are the run's steps, in the order of its plan; `undoing` what takes back effects, by effect."""

    run: DeclaredRun
    plan: Definition
    tasks: dict[str, Task]
    undoing: dict[UUID, Task]
    at: datetime
    before: Mapping[str, Any] = field(default_factory=dict)  # of the run as it is stored
    withdrawn: bool = False  # persons that were asked have nothing to answer any more
    _effects: list[Effect] | None = None
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
            self._effects = list(rows.order_by("number"))
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
        before = self.effects
        made.save(force_insert=True)
        before.append(made)

    def add_undoing(self, task: Task, effect: Effect) -> None:
        task.save(force_insert=True)
        self.undoing[effect.id] = task

    def tell_run(self, what: str, error: str = "") -> None:
        self._events.append(reporting.of_run(self.run, what, self.at, error))

    def tell_step(self, task: Task, what: str, error: str = "") -> None:
        self._events.append(reporting.of_step(task, self.name_of(task), what, self.at, error))

    def note(self, kind: str, actor: str, more: Mapping[str, Any] | None = None) -> None:
        self._notes.append(reporting.entry(self.run, kind, actor, self.at, more))

    def save(self) -> None:
        place = self.run.workspace_id
        stands = _values(self.run)
        if stands != self.before:
            DeclaredRun.objects.filter(workspace_id=place, id=self.run.id).update(**stands)
        for task in self._changed.values():
            Task.objects.filter(workspace_id=place, id=task.id).update(**{name: getattr(task, name) for name in _TASK})
        for effect in self._changed_effects.values():
            values = {name: getattr(effect, name) for name in _EFFECT}
            Effect.objects.filter(workspace_id=place, id=effect.id).update(**values)
        reporting.tell(place, self._events, self.at)
        entries.record_all(self._notes)


def moving(workspace_id: int, run_id: UUID, *, wait: bool = True) -> Moving | None:
    """The run, locked in the transaction that runs; None where there is none, or, not waiting, where another has it."""
    rows = DeclaredRun.objects.select_for_update(skip_locked=not wait).filter(workspace_id=workspace_id, id=run_id)
    run = rows.first()
    if run is None:
        return None
    plan = plan_of(workspace_id, run.version_id)
    tasks: dict[str, Task] = {}
    undoing: dict[UUID, Task] = {}
    for task in Task.objects.select_for_update().filter(workspace_id=workspace_id, run_id=run_id).order_by("id"):
        if task.undoes:
            undoing[task.undoes] = task
        else:
            tasks[task.step] = task
    steps = {step.id: tasks[step.id] for step in plan.steps}
    return Moving(run, plan, steps, undoing, timezone.now(), _values(run))


def _values(run: DeclaredRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _RUN}
