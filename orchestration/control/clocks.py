"""The clocks of declared workflows, kept in rows: leases that end, time limits, retries, people's answers, addresses
that took nothing. Celery only looks often; whatever it misses is still there the next time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import OperationalError, connection
from django.utils import timezone

from orchestration.control import driving, handing_out
from orchestration.control.driving import guard
from orchestration.lib.pulse import publish
from orchestration.workflows import engine
from orchestration.workflows.declared_models import Task, TaskState
from orchestration.workflows.engine import Failed
from orchestration.workflows.moving import IN_WORK, Moving

BUDGET_S = 20.0
AT_ONCE = 200
SET_ASIDE = timedelta(minutes=5)  # a run that cannot be moved must not stop the others
TOLD_FOR = timedelta(hours=2)  # so long it is looked for the page's row of a cancelled run

log = structlog.get_logger(__name__)

_DUE = f"""
select distinct workspace_id, run_id from (
    (select workspace_id, run_id from workflows_task where state in ('leased', 'asked', 'called') and due_at <= %(now)s
        limit {AT_ONCE})
    union all
    (select workspace_id, run_id from workflows_task where state = 'ready' and limit_at <= %(now)s limit {AT_ONCE})
    union all
    (select workspace_id, run_id from workflows_task
        where state = 'ready' and owner_kind in ('human', 'webhook') and due_at <= %(now)s limit {AT_ONCE})
    union all
    (select t.workspace_id, t.run_id from workflows_task t join holds_hold h on h.id = t.hold_id
        where t.state = 'asked' and h.state in ('applied', 'expired', 'cancelled') limit {AT_ONCE})
    union all
    (select t.workspace_id, t.run_id from outbox_message m
        join workflows_task t on t.state = 'called' and t.workspace_id = m.workspace_id
        and m.key = '{handing_out.CALLED} ' || t.id || '.' || t.fence
        where m.state = 'dead' and m.event = '{handing_out.CALLED}' limit {AT_ONCE})
) due
"""
_MARK = """
with told as (
    update workflows_run r set status = 'cancelled', cancelled_at = d.ended_at from workflows_declaredrun d
    where d.state = 'cancelled' and not d.cancel_told and d.ended_at > %s
    and r.workspace_id = d.workspace_id and r.id = d.id returning r.workspace_id, r.id
)
update workflows_declaredrun d set cancel_told = true from told
where d.workspace_id = told.workspace_id and d.id = told.id returning d.workspace_id
"""


def sweep() -> int:
    """What is due, of all runs; returns how many runs were moved. Two sweeps pass over each other's."""
    moved, until = _mark_cancelled(), time.monotonic() + BUDGET_S
    while time.monotonic() < until:
        due = _due()
        moved += sum(_move(*each) for each in due)
        if len(due) < AT_ONCE:
            break
    return moved


def _due() -> Sequence[tuple[int, UUID]]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": timezone.now()})
        return [(row[0], row[1]) for row in cursor]


def _move(workspace_id: int, run_id: UUID) -> int:
    try:
        return driving.move(workspace_id, run_id, look)
    except OperationalError:
        raise  # the database, and not this run
    except Exception:
        log.exception("run_cannot_be_moved", workspace=workspace_id, run=str(run_id))
        later = timezone.now() + SET_ASIDE
        mine = Task.objects.filter(workspace_id=workspace_id, run_id=run_id)
        mine.exclude(state__in=engine.ENDED).update(due_at=later)
        mine.filter(limit_at__lte=timezone.now()).update(limit_at=later)
        return 0


def look(m: Moving) -> None:
    """Ends what has lasted too long, and takes in what people and the outbox say."""
    for task in m.all_tasks:
        if task.state in IN_WORK and task.due_at <= m.at:
            engine.fail(m, task, _late(m, task), guard)
        elif task.state == TaskState.READY and task.limit_at and task.limit_at <= m.at:
            engine.fail(m, task, Failed("unclaimed", "Nobody took it in time."), guard)
        elif task.state == TaskState.ASKED:
            handing_out.answered(m, task, guard)
        elif task.state == TaskState.CALLED:
            handing_out.undelivered(m, task, guard)


def _late(m: Moving, task: Task) -> Failed:
    if task.limit_at and task.limit_at <= m.at:
        return Failed("timeout", f"It took longer than {task.time_limit_s:g} seconds.")
    return Failed("lost", f"{task.holder or 'Whoever had it'} fell silent.")


def _mark_cancelled() -> int:
    """The rows that pages show of runs which were cancelled: they may come into being after that."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [timezone.now() - TOLD_FOR])
        places = [row[0] for row in cursor]
    for place in set(places):
        publish(place, "run")
    return len(places)
