"""What is forgotten, and when: days of spans as partitions, everything else by rows, each kind by its own age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, models

from orchestration.handoffs.models import Handoff
from orchestration.telemetry import deliveries, retention
from orchestration.telemetry.models import Intake, Refusal, SpanHour, SpanMinute
from orchestration.workflows.models import Run, Step, Trace, WorkflowHour, WorkflowMinute
from orchestration.workspaces.models import Workspace

# A minute figure lives a day longer than its spans, so that no hour is recomputed from minutes that are gone.
BY_SPAN_DAYS: tuple[tuple[type[models.Model], str], ...] = ((SpanMinute, "at"), (WorkflowMinute, "at"))
BY_RUN_DAYS: tuple[tuple[type[models.Model], str], ...] = (
    (SpanHour, "at"),
    (WorkflowHour, "at"),
    (Run, "started_at"),
    (Handoff, "at"),
    (Trace, "received_at"),
    (Step, "coalesce(ended_at, started_at)"),
    (Intake, "at"),
    (Refusal, "at"),
)


def keep() -> dict[str, Any]:
    """The hourly round; returns what was made, dropped and deleted. Safe when two run."""
    done: dict[str, Any] = retention.try_keep()
    done["poisoned"] = deliveries.forget_poisoned()
    for workspace in Workspace.objects.all():
        now = datetime.now(UTC)
        for kinds, days in ((BY_SPAN_DAYS, workspace.span_days + 1), (BY_RUN_DAYS, workspace.run_days)):
            for model, column in kinds:
                n = retention.forget_rows(model, column, now - timedelta(days=days), workspace.pk)
                done[model._meta.label] = done.get(model._meta.label, 0) + n
        _forget_bookings(workspace.pk, now - timedelta(days=workspace.span_days + 30))
        _forget_keys(workspace.pk)
    return done


def _forget_bookings(workspace_id: int, before: datetime) -> None:
    """Run ids begin with their time (UUIDv7), so bookings need no column for it."""
    oldest = UUID(int=int(before.timestamp() * 1000) << 80)
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from workflows_runbooking where workspace_id = %s and run_id < %s", [workspace_id, oldest]
        )


def _forget_keys(workspace_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from workflows_tracekey k where workspace_id = %s and not exists "
            "(select 1 from workflows_trace t where t.workspace_id = k.workspace_id and t.trace_id = k.trace_id)",
            [workspace_id],
        )
