"""What a person has tried again that had failed for good: one step of a run, or taking back one effect. Whatever was
done stays done; what the failure had ended waits again. A press is about one failure (`failed_at`): the same press
again, or one that comes late, changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from orchestration.workflows import rollback
from orchestration.workflows.declared_models import DeclaredState, EffectState, TaskState
from orchestration.workflows.moving import Moving

GOES = (DeclaredState.RUNNING, DeclaredState.FAILED, DeclaredState.COMPLETED)
TRIED = (TaskState.READY, TaskState.LEASED, TaskState.ASKED, TaskState.CALLED)


class Refused(ValueError):
    """It cannot be tried again; the text says why."""


def step(m: Moving, step_id: str, by: str, reason: str, failed_at: datetime | None = None) -> bool:
    """The caller moves the run on. False: it is being tried already, or `failed_at` is not what it failed at last."""
    task = m.tasks.get(step_id)
    if task is None:
        raise Refused("This run has no such step.")
    if task.state in TRIED or not _meant(task.ended_at, failed_at):
        return False
    if task.state != TaskState.FAILED:
        raise Refused("This step has not failed.")
    if m.run.state not in GOES:
        raise Refused(f"This run is {m.run.get_state_display().lower()}: start it again instead.")
    if m.run.state == DeclaredState.FAILED:
        for other in m.tasks.values():
            if other.state == TaskState.CANCELLED:
                m.change(other, state=TaskState.BLOCKED, ended_at=None)
    wait_s = m.plan.step(step_id).wait_limit_s
    rollback.renew(m, task, m.at + timedelta(seconds=wait_s) if wait_s else None)
    m.tell_run("reopened")
    m.run.state, m.run.error, m.run.ended_at = DeclaredState.RUNNING, "", None
    m.note("step.tried_again", by, {"step": step_id, "attempt": task.attempt, "reason": reason[:400]})
    return True


def undo(m: Moving, effect_id: UUID, by: str, reason: str, failed_at: datetime | None = None) -> bool:
    """In its turn, by the same task: an effect has one for good. False: as with `step`."""
    effect = next((each for each in m.effects if each.id == effect_id), None)
    if effect is None:
        raise Refused("This run has no such effect.")
    going = m.run.state == DeclaredState.UNDOING and effect.state in (EffectState.DONE, EffectState.ASKED)
    if going or not _meant(effect.ended_at, failed_at):
        return False
    if effect.state != EffectState.FAILED:
        raise Refused("Taking this back has not failed.")
    m.change_effect(effect, state=EffectState.DONE, error="", ended_at=None)
    m.run.state = DeclaredState.UNDOING
    m.note("effect.tried_again", by, {"effect": str(effect.id), "step": effect.step, "reason": reason[:400]})
    rollback.go_on(m)
    return True


def _meant(failed: datetime | None, told: datetime | None) -> bool:
    """To the millisecond, as JSON tells times."""
    return told is None or (failed is not None and abs((failed - told).total_seconds()) < 0.001)
