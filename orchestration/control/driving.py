"""Drives declared workflows: the engine (`workflows`) with what stands above it, rules for guards and holds for people.

Every move is one transaction: what moves the run, what it opens next, and what is told of it. So a process that dies
leaves it done or not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestration.autonomy import stops
from orchestration.control import handing_out
from orchestration.holds.withdrawing import tried_again, withdraw
from orchestration.lib.pulse import publish
from orchestration.policies import cel
from orchestration.workflows import anew, declared, engine, leases, rollback, starting, stored
from orchestration.workflows.declared_models import DeclaredRun, DeclaredState, Task, TaskState
from orchestration.workflows.leases import Lease, LeaseId, NotThere
from orchestration.workflows.moving import Moving, moving, moving_of
from orchestration.workflows.starting import Start


class Unknown(ValueError):
    """There is no such declared workflow, or none of it is live."""


class NotNow(ValueError):
    """The run is not in a state for this; the text says why."""


class Stopped(Exception):
    """The agent may take nothing now. `again_s`: worth asking again after that; 0: not before somebody releases it."""

    def __init__(self, words: str, again_s: int) -> None:
        super().__init__(words)
        self.again_s = again_s


def guard(text: str, data: Mapping[str, Any]) -> bool | str:
    """A step's guard, on the data of its run."""
    try:
        return cel.compiled(text).test(cel.activation({"context": dict(data)}))
    except cel.Invalid as error:
        return str(error)


def start(workspace_id: int, workflow: str, wanted: Start) -> tuple[DeclaredRun, bool]:
    """The run, and whether it is new. Raises Unknown, starting.KeyUsed."""
    known = starting.before(workspace_id, workflow, wanted)
    if known is not None:
        return known, False
    version = declared.live(workspace_id, workflow)
    if version is None:
        raise Unknown(f"No declared workflow called {workflow} is live in this workspace.")
    try:
        with transaction.atomic():
            m = starting.start(version, wanted, guard)
            _written(m)
            return m.run, True
    except IntegrityError as error:
        if "started_once" not in str(error):
            raise
    known = starting.before(workspace_id, workflow, wanted)
    if known is None:
        raise Unknown("The run that was started by this key is gone.")
    return known, False


def lease(wanted: leases.Wanted, who: Callable[[], int] = lambda: 0) -> list[Lease]:
    """`who`: the agent's id, asked for where somebody is stopped at all; 0: its name alone is known. Raises Stopped."""
    now = timezone.now()
    found = stops.stops_of(stored.execute(stops.STOPS_SQL, [wanted.workspace_id]))
    if not found:
        return leases.lease(wanted)
    against = found.found(who(), wanted.agent, "", now)
    if against is not None:
        raise Stopped(against.words, against.again_s(now) if against.passes else 0)
    paused = [name for name in found.workflows if found.of_workflow(name, now)]
    return leases.lease(replace(wanted, paused=paused))


def complete(workspace_id: int, lease_id: LeaseId, done: engine.Done) -> Task:
    """The step is done, once: the same word from the same lease again changes nothing. Raises NotYours, NotThere."""

    def again(task: Task) -> bool:
        return task.state == TaskState.DONE and task.fence == lease_id.fence and task.result == done.result

    return _answered(workspace_id, lease_id, again, lambda m, task: engine.finish(m, task, done, guard))


def fail(workspace_id: int, lease_id: LeaseId, failed: engine.Failed) -> Task:
    """The attempt has failed. Raises NotYours, NotThere."""

    def again(task: Task) -> bool:
        said = (task.fence, task.error_class, task.error)
        return said == (lease_id.fence + 1, failed.error_class, failed.error[: engine.ERROR_CHARS])

    return _answered(workspace_id, lease_id, again, lambda m, task: engine.fail(m, task, failed, guard))


def cancel(workspace_id: int, run_id: UUID, by: str, reason: str) -> DeclaredRun | None:
    """The run as it is then; None where there is no such declared run. Raises NotNow when it ended otherwise."""
    with transaction.atomic():
        m = moving(workspace_id, run_id)
        if m is None:
            return None
        if engine.cancel(m, by, reason):
            _written(m)
        elif m.run.state != DeclaredState.CANCELLED:
            raise NotNow(f"This run is {m.run.get_state_display().lower()}.")
    return m.run


def roll_back(workspace_id: int, run_id: UUID, by: str, reason: str) -> DeclaredRun | None:
    """A run that goes on is cancelled first. Once begun, it goes on by itself to the end; the same again changes
    nothing."""
    with transaction.atomic():
        m = moving(workspace_id, run_id)
        if m is None:
            return None
        engine.cancel(m, by, reason)
        if rollback.begin(m, by, reason):
            _written(m)
    return m.run


def try_again(workspace_id: int, run_id: UUID, go: Callable[[Moving], bool]) -> DeclaredRun | None:
    """`go` has something tried again that failed for good (`workflows.anew`). Raises NotNow."""
    with transaction.atomic():
        m = moving(workspace_id, run_id)
        if m is None:
            return None
        try:
            changed = go(m)
        except anew.Refused as error:
            raise NotNow(str(error)) from error
        if changed:
            engine.advance(m, guard)
            _written(m)
            tried_again(workspace_id, run_id)
    return m.run


def move(workspace_id: int, run_id: UUID, look: Callable[[Moving], None]) -> bool:
    """For the clocks: `look` at a run nobody else moves, and go on. False: somebody does, or it is gone."""
    with transaction.atomic():
        m = moving(workspace_id, run_id, wait=False)
        if m is None:
            return False
        look(m)
        engine.advance(m, guard)
        _written(m)
    return True


def _answered(
    workspace_id: int,
    lease_id: LeaseId,
    again: Callable[[Task], bool],
    go: Callable[[Moving, Task], None],
) -> Task:
    with transaction.atomic():
        m = moving_of(workspace_id, lease_id.task)
        task = _task(m.all_tasks, lease_id) if m else None
        if m is None or task is None:
            raise NotThere
        if leases.held(task, lease_id):
            go(m, task)
            _written(m)
        elif not again(task):
            raise leases.lost(workspace_id, lease_id)
    return task


def _task(tasks: Sequence[Task], lease_id: LeaseId) -> Task | None:
    return next((task for task in tasks if task.id == lease_id.task), None)


def _written(m: Moving) -> None:
    """What is a person's or an address' to do is handed out, and all of it stored."""
    handing_out.hand_out(m, guard)
    m.save()
    place, run_id = m.run.workspace_id, m.run.id
    if m.withdrawn:
        withdraw(place, run_id, [str(run_id), run_id.hex], f"The run ended: {m.run.error}")
    transaction.on_commit(lambda: publish(place, "run"))
