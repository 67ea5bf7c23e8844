"""Whether the agents of a workflow are to coordinate: an admin says so, with a reason and a receipt, and agents read it
in the context of their run. Nothing is enforced; what comes of it is counted in runs that are over.

The count: of each such workflow the runs that began up to a week before, newest first, a bounded number at a time, one
row a run. A run that was settled again is counted anew, so the sweep may be repeated, cut short, or run twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.utils import timezone

from orchestration.control.administration import note
from orchestration.control.gates import decisions_of
from orchestration.handoffs import mess
from orchestration.handoffs.mess import Act
from orchestration.handoffs.mess_models import Coordination, Mess
from orchestration.telemetry.models import Span
from orchestration.telemetry.values import parsed
from orchestration.workflows import account
from orchestration.workflows.account import RunDetail
from orchestration.workflows.duplicates import looks
from orchestration.workflows.models import Workflow
from orchestration.workspaces.models import User

BEFORE = timedelta(days=7)
RUNS, SECONDS = 200, 3.0  # of one sweep, whichever comes first
MOST_CALLS = 200  # whose arguments are read
ARGUMENTS = (
    *("gen_ai.tool.call.arguments", "gen_ai.tool.arguments", "gen_ai.tool.input", "tool_arguments", "input.value"),
    *("tool.parameters", "traceloop.entity.input"),
)
DUE = """
select r.id, r.started_at, r.revision
from workflows_run r left join handoffs_mess m on m.workspace_id = r.workspace_id and m.run_id = r.id
where r.workspace_id = %s and r.workflow_id = %s and r.started_at >= %s and r.started_at < %s
    and r.status in ('completed', 'failed', 'cancelled') and r.merged_into is null
    and m.revision is distinct from r.revision
order by r.started_at desc limit %s
"""
GONE = """
delete from handoffs_mess m using workflows_run r
where m.workspace_id = %(space)s and m.workflow_id = %(flow)s and r.workspace_id = m.workspace_id and r.id = m.run_id
    and (r.merged_into is not null or r.workflow_id <> m.workflow_id)
"""
log = structlog.get_logger(__name__)


@transaction.atomic
def switch(workflow: Workflow, *, on: bool, reason: str, by: User) -> bool:
    """False when it is so already, also for a form that is sent twice."""
    Workflow.objects.select_for_update().get(pk=workflow.pk)
    row, now = Coordination.objects.filter(workflow=workflow).first(), timezone.now()
    if (row is not None and row.on) == on:
        return False
    if row is None or on:
        again = row.until if row and row.until else now - BEFORE
        row = row or Coordination(workspace_id=workflow.workspace_id, workflow=workflow)
        row.since, row.until, row.counted_from = now, None, max(now - BEFORE, again)
    else:
        row.until = now
    row.by, row.reason, row.changed_at = by.get_username(), reason, now
    row.save()
    kind = "workflow.coordination_on" if on else "workflow.coordination_off"
    note(workflow.workspace_id, kind, ("workflow", workflow.slug), by, {"workflow": workflow.name, "reason": reason})
    return True


def coordinates(workspace_id: int, workflow: str, began_at: datetime | None = None) -> bool:
    """Whether the agents of a run of this workflow (its name) are to coordinate: of one that began after it was
    switched on. `began_at` None: it begins now."""
    if not workflow:
        return False
    on = Coordination.objects.filter(workspace=workspace_id, workflow__name=workflow, until=None)
    since = on.values_list("since", flat=True).first()
    return since is not None and (began_at is None or began_at >= since)


def sweep() -> int:
    """Count what is over and not counted yet; how many runs that were."""
    until, done = time.monotonic() + SECONDS, 0
    for row in Coordination.objects.select_related("workspace").order_by("-changed_at"):
        with connection.cursor() as cursor:
            cursor.execute(GONE, {"space": row.workspace_id, "flow": row.workflow_id})
        for run in due(row, RUNS - done):
            if time.monotonic() > until:
                return done
            done += count(row, *run)
    return done


def due(row: Coordination, most: int) -> Sequence[tuple[UUID, datetime, int]]:
    """Runs whose steps are gone cannot be counted any more."""
    kept = timezone.now() - timedelta(days=row.workspace.span_days) + timedelta(hours=1)
    until = row.until or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(DUE, [row.workspace_id, row.workflow_id, max(row.counted_from, kept), until, most])
        return list(cursor.fetchall())


def count(row: Coordination, run_id: UUID, began_at: datetime, revision: int) -> int:
    detail = account.run(row.workspace_id, str(run_id), steps=0, listed=0)
    if detail is None or not detail.story.placed:
        return 0
    found = mess.counts(detail.story, _arguments(row.workspace_id, detail), _decided(row.workspace_id, detail))
    told = {name: getattr(found, name) for name in found.__slots__}
    told |= {"workflow_id": row.workflow_id, "at": began_at, "revision": revision}
    Mess.objects.bulk_create(
        [Mess(workspace_id=row.workspace_id, run_id=run_id, **told)],
        update_conflicts=True,
        unique_fields=["workspace_id", "run_id"],
        update_fields=list(told),
    )
    return 1


def _arguments(workspace_id: int, detail: RunDetail) -> dict[bytes, Any]:
    """Of the calls that do something, as far as the workspace keeps them."""
    calls = [call for call in detail.story.tool_calls if call.ok and not looks(call.tool)][:MOST_CALLS]
    if not calls:
        return {}
    at = [datetime.fromtimestamp(call.at_ns / 1e9, tz=timezone.get_default_timezone()) for call in calls]
    second = timedelta(seconds=1)
    rows = Span.objects.filter(
        workspace_id=workspace_id,
        started_at__range=(min(at) - second, max(at) + second),
        trace_id__in=[bytes.fromhex(each) for each in detail.run.trace_ids],
        span_id__in=[call.span_id for call in calls],
    )
    found = ((bytes(span_id), kept.get("a") or {}) for span_id, kept in rows.values_list("span_id", "attrs"))
    return {span_id: parsed(next((a[name] for name in ARGUMENTS if name in a), None)) for span_id, a in found}


def _decided(workspace_id: int, detail: RunDetail) -> Iterator[Act]:
    """What agents asked to be allowed, with an amount, but for what was denied."""
    for row in decisions_of(workspace_id, detail.run):
        if row.amount is None or row.effect == "deny":
            continue
        named = row.facts.get("action.arguments")
        at_ns = int(row.at.timestamp() * 1e9)
        who = f"{row.application}/{row.agent}" if row.application else row.agent
        made = mess.act(who, row.action_type, named if isinstance(named, dict) else {}, row.amount, at_ns)
        if made:
            yield made
