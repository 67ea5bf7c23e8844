"""One declared run as it stands: its steps as tasks, and what it did that may be taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.workflows.declared import plan_of
from orchestration.workflows.declared_models import DeclaredRun, DefinitionVersion, Effect, Task, TaskState


@dataclass(frozen=True, slots=True)
class StepLine:
    """`due_at`: of a ready one, from when it may be taken, of one in work, when its lease ends."""

    id: str
    name: str
    owner_kind: str
    owner: str
    after: tuple[str, ...]
    state: str
    attempt: int
    retries: int
    holder: str
    due_at: datetime | None
    hold: UUID | None
    error_class: str
    error: str
    started_at: datetime | None
    ended_at: datetime | None
    result: Any


@dataclass(frozen=True, slots=True)
class EffectLine:
    """`state`: done | asked | undone | failed | kept. `task`: what takes it back, where that was asked for."""

    id: UUID
    number: int
    step: str
    name: str
    state: str
    error: str
    done_at: datetime
    ended_at: datetime | None
    task: StepLine | None


@dataclass(frozen=True, slots=True)
class Execution:
    """`state` is the engine's own word: running | completed | failed | cancelled | undoing | undone."""

    id: UUID
    workflow: str
    version: int
    version_id: UUID
    title: str
    state: str
    error: str
    by: str
    started_at: datetime
    ended_at: datetime | None
    retries_left: int
    undo_by: str
    undo_reason: str
    steps: list[StepLine]
    effects: list[EffectLine]  # newest first, as they are taken back


def execution(workspace_id: int, run_id: UUID) -> Execution | None:
    """None where there is no such declared run."""
    run = DeclaredRun.objects.filter(workspace_id=workspace_id, id=run_id).first()
    if run is None:
        return None
    tasks: dict[str, Task] = {}
    undoing: dict[UUID, Task] = {}
    for task in Task.objects.filter(workspace_id=workspace_id, run_id=run_id):
        if task.undoes:
            undoing[task.undoes] = task
        else:
            tasks[task.step] = task
    plan = plan_of(workspace_id, run.version_id)
    effects = Effect.objects.filter(workspace_id=workspace_id, run_id=run_id).order_by("-number")
    names = ("id", "workflow", "version_id", "title", "state", "error", "by", "started_at", "ended_at")
    return Execution(
        **{name: getattr(run, name) for name in (*names, "retries_left", "undo_by", "undo_reason")},
        version=DefinitionVersion.objects.values_list("number", flat=True).get(pk=run.version_id),
        steps=[_step(tasks[step.id], step.name, step.after) for step in plan.steps],
        effects=[_effect(effect, undoing.get(effect.id)) for effect in effects],
    )


def _step(task: Task, name: str, after: tuple[str, ...] = ()) -> StepLine:
    timed = task.state in (TaskState.READY, TaskState.LEASED, TaskState.ASKED, TaskState.CALLED)
    return StepLine(
        id=task.step,
        name=name,
        owner_kind=task.owner_kind,
        owner=task.owner,
        after=after,
        state=task.state,
        attempt=task.attempt,
        retries=task.retries,
        holder=task.holder,
        due_at=task.due_at if timed else None,
        hold=task.hold_id,
        error_class=task.error_class,
        error=task.error,
        started_at=task.leased_at,
        ended_at=task.ended_at,
        result=task.result,
    )


def _effect(effect: Effect, task: Task | None) -> EffectLine:
    names = ("id", "number", "step", "name", "state", "error", "done_at", "ended_at")
    told = {name: getattr(effect, name) for name in names}
    return EffectLine(**told, task=_step(task, effect.name) if task else None)
