"""Moves declared runs on: what may begin begins, what failed is tried again or ends the run, and the end is told.

A guard is a rule, and rules are a room further up: whoever calls brings the evaluator (`Test`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestration.workflows import reporting, retries, rollback
from orchestration.workflows.declared_models import DeclaredState, Task, TaskState
from orchestration.workflows.moving import IN_WORK, Moving
from orchestration.workflows.plans import StepPlan
from orchestration.workflows.retries import UNSURE, SoFar
from orchestration.workflows.story import CANCELLED

Test = Callable[[str, Mapping[str, Any]], bool | str]  # a guard, what it reads; a text says why it cannot be told
ENDED = (TaskState.DONE, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED)
ERROR_CHARS = 500


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step. `effects`: what it did that may have to be taken back, as (name, key, data)."""

    result: Any = field(default_factory=dict)
    effects: Sequence[tuple[str, str, Any]] = ()
    by: str = reporting.ENGINE


@dataclass(frozen=True, slots=True)
class Failed:
    error_class: str
    error: str
    effects: Sequence[tuple[str, str, Any]] = ()
    by: str = reporting.ENGINE


def finish(m: Moving, task: Task, done: Done, test: Test) -> None:
    """A step is done; what waited for it begins."""
    m.change(task, state=TaskState.DONE, result=done.result, error="", error_class="", ended_at=m.at, limit_at=None)
    m.tell_step(task, "finished")
    told = {"step": task.step, "attempt": task.attempt, "holder": task.holder}
    m.note("step.finished", done.by, told | {"result_sha256": reporting.hashed(done.result)})
    if task.undoes:
        rollback.settled(m, task, "")
    else:
        _register(m, task, done.effects, done.result)
    advance(m, test)


def fail(m: Moving, task: Task, failed: Failed, test: Test) -> None:
    """An attempt has failed: there is another one later, or the step has failed for good."""
    error = failed.error[:ERROR_CHARS]
    begun = task.state in (*IN_WORK, TaskState.ASKED)
    if begun:
        m.tell_step(task, "failed", error or failed.error_class)
    told = {"step": task.step, "attempt": task.attempt, "holder": task.holder, "error_class": failed.error_class}
    m.change(task, error_class=failed.error_class, error=error, holder="", hold_id=None, fence=task.fence + 1)
    for name, key, data in failed.effects:
        m.add_effect(task, name, key, data)
    roll = random.random()  # noqa: S311  not a secret
    so_far = SoFar(task.attempt, task.retries, m.run.retries_left)
    again = retries.again(m.plan_for(task), failed.error_class, so_far, roll) if _goes_on(m, task) else None
    if again is not None:
        at = m.at + timedelta(seconds=again.after_s)
        m.change(task, state=TaskState.READY, due_at=at, limit_at=_wait_limit(m, task), ready_at=at)
        if again.spends:
            task.retries += 1
            m.run.retries_left -= 1
        m.note("step.retried", failed.by, told)
        return
    m.change(task, state=TaskState.FAILED, ended_at=m.at, limit_at=None)
    m.note("step.failed", failed.by, told)
    _failed_for_good(m, task, failed)
    advance(m, test)


def advance(m: Moving, test: Test) -> None:
    """Begins whatever may begin, and ends the run when nothing is left to do."""
    if m.run.state == DeclaredState.RUNNING:
        while _one_more(m, test):
            pass
    if m.run.state == DeclaredState.RUNNING and all(task.state in ENDED for task in m.tasks.values()):
        m.run.state, m.run.ended_at = DeclaredState.COMPLETED, m.at
        m.tell_run("finished")
        m.note("run.completed", reporting.ENGINE)
    rollback.go_on(m)


def cancel(m: Moving, by: str, reason: str) -> bool:
    """Nothing more begins. What is in work is told to stop at its next sign of life; should it finish first, what it
    did is remembered. False: the run had ended before."""
    if m.run.state != DeclaredState.RUNNING:
        return False
    stop(m, DeclaredState.CANCELLED, CANCELLED)
    m.note("run.cancelled", by, {"reason": reason})
    return True


def stop(m: Moving, state: DeclaredState, error: str) -> None:
    """The run ends before all of it is done."""
    m.run.state, m.run.error, m.run.ended_at = state, error[:ERROR_CHARS], m.at
    for task in m.tasks.values():
        if task.state in (TaskState.BLOCKED, TaskState.READY, TaskState.ASKED):
            if task.state == TaskState.ASKED:
                m.tell_step(task, "failed", "withdrawn")
                m.withdrawn = True
            m.change(task, state=TaskState.CANCELLED, ended_at=m.at, limit_at=None)
    m.tell_run("failed", error)


def _goes_on(m: Moving, task: Task) -> bool:
    """Of a run that was ended nothing is tried again but what takes back its effects."""
    return m.run.state == DeclaredState.RUNNING or (task.undoes is not None)


def _failed_for_good(m: Moving, task: Task, failed: Failed) -> None:
    if task.undoes:
        rollback.settled(m, task, f"{failed.error_class}: {failed.error}"[:ERROR_CHARS])
        return
    step = m.plan.step(task.step)
    if step.compensation and not failed.effects and failed.error_class in UNSURE and task.attempt:
        m.add_effect(task, step.name, _key(task), {"unsure": failed.error_class})
    if m.run.state != DeclaredState.RUNNING or step.if_fails == "go_on":
        return
    words = f"{step.name}: {failed.error or failed.error_class}"
    stop(m, DeclaredState.FAILED, words)
    m.note("run.failed", reporting.ENGINE, {"step": task.step, "error_class": failed.error_class})
    if m.plan.if_fails == "undo":
        rollback.begin(m, reporting.ENGINE, words)


def _register(m: Moving, task: Task, effects: Sequence[tuple[str, str, Any]], result: Any) -> None:
    """What a step has done by its own account; a step that somebody can take back has done at least itself."""
    step = m.plan.step(task.step)
    if not effects and step.compensation:
        effects = [(step.name, _key(task), result)]
    for name, key, data in effects:
        m.add_effect(task, name, key, data)


def _key(task: Task) -> str:
    return f"{task.run_id}:{task.step}"


def _one_more(m: Moving, test: Test) -> bool:
    """Looks at each step that waits for others. Whether one of them ended at once, so that others may begin."""
    ended = False
    for step in m.plan.steps:
        task = m.tasks[step.id]
        if task.state != TaskState.BLOCKED or m.run.state != DeclaredState.RUNNING:
            continue
        before = [m.tasks[each].state for each in step.after]
        if not all(state in ENDED for state in before):
            continue
        if before and all(state == TaskState.SKIPPED for state in before):
            m.change(task, state=TaskState.SKIPPED, ended_at=m.at)
        else:
            _open(m, step, task, test)
        ended = ended or task.state != TaskState.READY
    return ended


def _open(m: Moving, step: StepPlan, task: Task, test: Test) -> None:
    said = test(step.guard, data_of(m)) if step.guard else True
    if said is True:
        m.change(task, state=TaskState.READY, ready_at=m.at, due_at=m.at, limit_at=_wait_limit(m, task))
    elif said is False:
        m.change(task, state=TaskState.SKIPPED, ended_at=m.at)
        m.note("step.skipped", reporting.ENGINE, {"step": step.id})
    else:
        fail(m, task, Failed("guard", f"The guard could not be told: {said}"), test)


def data_of(m: Moving) -> dict[str, Any]:
    """What guards read."""
    done = {task.step: task.result for task in m.tasks.values() if task.state == TaskState.DONE}
    failed = {task.step: task.error_class for task in m.tasks.values() if task.state == TaskState.FAILED}
    return {"input": m.run.input, "steps": done, "failed": failed}


def _wait_limit(m: Moving, task: Task) -> Any:
    seconds = 0.0 if task.undoes else m.plan.step(task.step).wait_limit_s
    return m.at + timedelta(seconds=seconds) if seconds else None
