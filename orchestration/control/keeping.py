"""What is forgotten, and when: days of spans as partitions, everything else by rows, each kind by its own age.
What is kept for good is in `KEPT`.

Age counts from receipt: what an import brought of long ago lives as long as what happened on the day of the import.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, models

from orchestration.autonomy import forgetting as acts
from orchestration.handoffs import forgetting as coordination
from orchestration.handoffs.models import Handoff, PairHour
from orchestration.holds import forgetting
from orchestration.ledger import chain
from orchestration.policies import readings
from orchestration.policies.vocabulary import WINDOWS
from orchestration.telemetry import deliveries, retention
from orchestration.telemetry.models import Intake, Refusal, SpanDay, SpanHour, SpanMinute
from orchestration.telemetry.rollups import HOUR, closed_before, roll_hours
from orchestration.workflows import forgetting as declared
from orchestration.workflows.booking import TABLES
from orchestration.workflows.models import Run, Step, Trace, WorkflowDay, WorkflowHour, WorkflowMinute
from orchestration.workflows.trail_models import TrailRow
from orchestration.workflows.trigger_models import Firing
from orchestration.workspaces.models import Workspace

KEPT = (
    "The ledger: who did what, when and by which rule, with hashes of what was seen",
    "Policies and every version of them",
    "Of each decision who asked for what, the amount, and what was answered",
    "Of each question to a person when it came, who answered, and whether it was a yes",
)
MINUTES: tuple[type[models.Model], ...] = (SpanMinute, WorkflowMinute)
LAST_HOUR = "at + interval '23 hours'"  # a day's figures go with those of its last hour
DAY_LIVES = "date_trunc('day', r.at, 'UTC') = any(%s)"
TRACE_LIVES = (
    "exists (select from workflows_trace t where t.workspace_id = r.workspace_id and t.trace_id = r.trace_id "
    "and t.received_at >= %s)"
)
HEARD_LATELY = "coalesce(r.heard_at, r.started_at) >= %s"
RUN_LIVES = "exists (select from workflows_run n where n.workspace_id = r.workspace_id and n.id = r.run_id)"
NOTHING = "false"
PAST = timedelta(seconds=max(WINDOWS.values())) + timedelta(days=1)
READINGS = timedelta(days=31)  # as far as rules on signals are tried
FORGET_FACTS = """
update policies_decision set facts = '{}', answer = '{}', reason = null, forgotten_at = now()
where workspace_id = %(workspace)s and id = any(array(
    select id from policies_decision where workspace_id = %(workspace)s and forgotten_at is null
    and at < %(before)s and coalesce(received_at, at) < %(before)s limit %(most)s))
"""
BY_RUN_DAYS: tuple[tuple[type[models.Model], str, str], ...] = (  # what, its age, what spares it
    (SpanHour, "at", DAY_LIVES),
    (WorkflowHour, "at", DAY_LIVES),
    (SpanDay, LAST_HOUR, DAY_LIVES),
    (WorkflowDay, LAST_HOUR, DAY_LIVES),
    (Run, "started_at", HEARD_LATELY),
    (Handoff, "at", RUN_LIVES),
    (PairHour, "at", NOTHING),
    (TrailRow, "started_at", RUN_LIVES),
    (Step, "coalesce(ended_at, started_at)", TRACE_LIVES),
    (Trace, "received_at", NOTHING),
    (Firing, "at", NOTHING),
    (Intake, "at", NOTHING),
    (Refusal, "at", NOTHING),
)


def keep() -> dict[str, Any]:
    """The hourly round; returns what was made, dropped and deleted. Safe when two run."""
    done: dict[str, Any] = retention.try_keep()
    done["poisoned"] = deliveries.forget_poisoned()
    roll_hours(TABLES)  # what minutes still have to tell
    for workspace in Workspace.objects.all():
        now = datetime.now(UTC)
        done["emptied"] = done.get("emptied", 0) + retention.forget_days(workspace.pk, workspace.span_days)
        minutes = closed_before(workspace.span_days, now) - 2 * HOUR
        before = now - timedelta(days=workspace.run_days)
        days = retention.days_received_since(workspace.pk, before, before)
        values: dict[str, tuple[Any, ...]] = {DAY_LIVES: (days,), TRACE_LIVES: (before,), HEARD_LATELY: (before,)}
        forgotten = {model: retention.forget_rows(model, "at", minutes, workspace.pk) for model in MINUTES}
        for model, age, spared in BY_RUN_DAYS:
            forgotten[model] = retention.forget_rows(model, age, before, workspace.pk, (spared, values.get(spared, ())))
        for model, n in forgotten.items():
            done[model._meta.label] = done.get(model._meta.label, 0) + n
        _forget_bookings(workspace.pk, now - timedelta(days=workspace.span_days + 30))
        _forget_keys(workspace.pk)
        done["acts"] = done.get("acts", 0) + acts.forget(workspace.pk, before)
        done["facts"] = done.get("facts", 0) + forget_facts(workspace.pk, now - timedelta(days=workspace.decision_days))
        words = forgetting.forget_words(workspace.pk, now - timedelta(days=workspace.decision_days))
        done["questions"] = done.get("questions", 0) + words
        words = coordination.forget_words(workspace.pk, now - timedelta(days=workspace.decision_days))
        done["envelopes"] = done.get("envelopes", 0) + words + coordination.forget_rows(workspace.pk, before)
        carried = declared.forget_data(workspace.pk, now - timedelta(days=workspace.decision_days))
        done["carried"] = done.get("carried", 0) + carried + declared.forget_runs(workspace.pk, before)
        _forget_past(workspace.pk, now - PAST)
        readings.forget(workspace.pk, now - max(timedelta(days=workspace.span_days), READINGS))
    return done


def forget_facts(workspace_id: int, before: datetime) -> int:
    """What decisions were made on, and the words they were answered with. That there was a decision stays, with who
    asked, what for, and what was said; its receipt has the hash of the facts."""
    total, done = 0, retention.SLICE
    while done == retention.SLICE:
        with connection.cursor() as cursor:
            cursor.execute(FORGET_FACTS, {"workspace": workspace_id, "before": before, "most": retention.SLICE})
            done = int(cursor.rowcount)
        total += done
    return total


def _forget_past(workspace_id: int, before: datetime) -> None:
    """Keys of asks, and what no rule can look back on any more. Ids carry their time, so only the old end is read."""
    with connection.cursor() as cursor:
        cursor.execute("delete from policies_asked where workspace_id = %s and at < %s", [workspace_id, before])
        cursor.execute(
            "delete from policies_past where workspace_id = %s and decision_id < %s and at < %s",
            [workspace_id, chain.first_id(before), before],
        )


def _forget_bookings(workspace_id: int, before: datetime) -> None:
    """Of runs that nothing will change any more: their spans are gone, or they are gone themselves. Their ids tell no
    time, since a caller may have given them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from workflows_runbooking b where workspace_id = %s and not exists (select 1 from workflows_run r "
            "where r.workspace_id = b.workspace_id and r.id = b.run_id and r.heard_at >= %s)",
            [workspace_id, before],
        )


def _forget_keys(workspace_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from workflows_tracekey k where workspace_id = %s and not exists "
            "(select 1 from workflows_trace t where t.workspace_id = k.workspace_id and t.trace_id = k.trace_id)",
            [workspace_id],
        )
