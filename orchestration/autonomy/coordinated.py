"""What acts do to a run that Baton coordinates: it is done here and now, and no agent is asked for it. Each in the
transaction that marks the act; False: nothing was there to be done."""

from __future__ import annotations

from typing import Any

from orchestration.autonomy import aims
from orchestration.autonomy.models import Action
from orchestration.holds.withdrawing import tried_again
from orchestration.workflows import anew, engine, rollback
from orchestration.workflows.declared_models import TaskState
from orchestration.workflows.moving import Moving, moving


def run_of(action: Action) -> Moving | None:
    """Locked; None where the act is about another run, or something else."""
    return moving(action.workspace_id, aims.uuid_of(action.target))


def cancel(action: Action) -> bool:
    """Nothing more begins."""
    m = run_of(action)
    if m is None or not engine.cancel(m, action.by, action.reason):
        return False
    m.save()
    return True


def retry(action: Action, m: Moving) -> tuple[bool, dict[str, Any]]:
    """Whatever failed for good waits to be taken again. Raises anew.Refused."""
    failed = [task.step for task in m.tasks.values() if task.state == TaskState.FAILED]
    tried = [step for step in failed if anew.step(m, step, action.by, action.reason)]
    m.save()
    if tried:
        tried_again(action.workspace_id, m.run.id)
    return bool(tried), {"steps": tried} if tried else {"was": "not failed, or being tried already"}


def undo(action: Action, m: Moving) -> tuple[bool, dict[str, Any]]:
    """Its effects are taken back by their own compensations, newest first."""
    engine.cancel(m, action.by, action.reason)
    begun = rollback.begin(m, action.by, action.reason)
    m.save()
    return begun, {"effects": m.run.effects} if begun else {"was": "taken back, or is being so"}
