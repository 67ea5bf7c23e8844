"""Takes back what a run has done: its effects, newest first, one after the other, each asked for once.

1. begin    nothing new begins; what is in work may finish, since half a step cannot be taken back
2. go on    the newest effect that stands: its compensation becomes a task, leased or called like any other
3. settle   undone, or could not be; then the next. What nobody can take back is kept, and said so

Each is one change in the transaction of its cause, so a crash leaves it done or not begun; an effect has one task for
good (a constraint of the database), so none is taken back twice.
"""

from __future__ import annotations

from datetime import datetime

from orchestration.workflows import reporting
from orchestration.workflows.declared_models import DeclaredState, Effect, EffectState, Task, TaskState
from orchestration.workflows.moving import IN_WORK, Moving
from orchestration.workflows.plans import Compensation

STANDS = (EffectState.DONE, EffectState.FAILED)
BEGUN = (DeclaredState.UNDOING, DeclaredState.UNDONE)


def begin(m: Moving, by: str, reason: str) -> bool:
    """Of a run that has ended. False: it was begun before."""
    if m.run.state in BEGUN:
        return False
    m.run.state, m.run.undo_by, m.run.undo_reason = DeclaredState.UNDOING, by, reason[:400]
    m.note("run.undoing", by, {"reason": reason[:400], "effects": m.run.effects})
    go_on(m)
    return True


def go_on(m: Moving) -> None:
    """The next effect, when nothing is in the way of it."""
    if m.run.state != DeclaredState.UNDOING or any(task.state in IN_WORK for task in m.tasks.values()):
        return
    effects = m.effects
    if any(effect.state == EffectState.ASKED for effect in effects):
        return
    for effect in reversed(effects):
        if effect.state != EffectState.DONE:
            continue
        compensation = m.plan.step(effect.step).compensation
        if compensation is not None:
            _ask(m, effect, compensation)
            return
        m.change_effect(effect, state=EffectState.KEPT, ended_at=m.at, error="Nobody is named who takes it back.")
        m.note("effect.kept", reporting.ENGINE, {"effect": str(effect.id), "step": effect.step})
    m.run.state = DeclaredState.UNDONE
    states = [effect.state for effect in effects]
    m.note("run.undone", reporting.ENGINE, {str(each): states.count(each) for each in sorted(set(states))})


def settled(m: Moving, task: Task, error: str) -> None:
    """What came of taking one effect back; "": it is undone. Others of the same key are the same effect, told of by
    another attempt: one of them is asked for, and that settles all."""
    mine = next(each for each in m.effects if each.id == task.undoes)
    state = EffectState.FAILED if error else EffectState.UNDONE
    for effect in m.effects:
        same = (effect.step, effect.key) == (mine.step, mine.key) and effect.state in STANDS
        if effect is mine or same:
            m.change_effect(effect, state=state, error=error, ended_at=m.at)
            m.note(f"effect.{state.value}", reporting.ENGINE, {"effect": str(effect.id), "step": effect.step})


def renew(m: Moving, task: Task, limit_at: datetime | None = None) -> None:
    """As when it was first to be taken; attempts are counted on, and who held it before says nothing any more."""
    m.change(
        task,
        state=TaskState.READY,
        due_at=m.at,
        ready_at=m.at,
        limit_at=limit_at,
        ended_at=None,
        error="",
        error_class="",
        retries=0,
        holder="",
        hold_id=None,
        fence=task.fence + 1,
    )


def _ask(m: Moving, effect: Effect, by: Compensation) -> None:
    m.change_effect(effect, state=EffectState.ASKED, asked_at=m.at)
    m.note("effect.asked", reporting.ENGINE, {"effect": str(effect.id), "step": effect.step})
    if known := m.undoing.get(effect.id):
        renew(m, known)
        return
    task = Task(
        workspace_id=m.run.workspace_id,
        run_id=m.run.id,
        workflow=m.run.workflow,
        step=effect.step,
        undoes=effect.id,
        owner_kind=by.owner.kind,
        owner=by.owner.name,
        state=TaskState.READY,
        due_at=m.at,
        ready_at=m.at,
        lease_s=by.lease_s,
        time_limit_s=by.time_limit_s,
    )
    m.add_undoing(task, effect)
