"""What the data takes on disk, by kind. Tables are shared by all workspaces, and so are these figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import connection

from orchestration.telemetry.retention import DAY_NAME, PARTITIONED
from orchestration.workspaces.models import Workspace

KINDS: Mapping[str, tuple[str, ...]] = {
    "spans": ("telemetry_span",),
    "logs": ("telemetry_logrecord",),
    "minute figures": ("telemetry_spanminute", "workflows_workflowminute", "policies_reading"),
    "hour figures": ("telemetry_spanhour", "workflows_workflowhour", "handoffs_pairhour"),
    "day figures": ("telemetry_spanday", "workflows_workflowday"),
    "runs": (
        "workflows_run",
        "workflows_runbooking",
        "workflows_trace",
        "workflows_tracekey",
        "workflows_step",
        "workflows_trailrow",
        "handoffs_handoff",
    ),
    "facts of decisions": ("policies_decision", "policies_asked", "policies_past"),
    "acts of Baton": ("autonomy_action", "autonomy_order", "autonomy_episode"),
    "ledger": ("ledger_entry", "ledger_link", "ledger_block", "ledger_checkpoint"),
    "deliveries": ("telemetry_delivery",),
}
_BY_SPAN_DAYS = frozenset(("spans", "logs", "minute figures"))
_BY_RUN_DAYS = frozenset(("hour figures", "day figures", "runs", "acts of Baton"))


@dataclass(frozen=True, slots=True)
class StorageLine:
    """Disk space of one kind of data, of all workspaces together: tables are shared."""

    kind: str  # of `KINDS`
    bytes: int
    rows: int  # PostgreSQL's estimate
    oldest: date | None  # of the oldest day that has a partition with rows
    keep_days: int | None


def lines(workspace_id: int) -> list[StorageLine]:
    """A line a kind, with what the workspace keeps of it in days (None: not by days, but for good or until it is
    digested)."""
    sizes = _sizes()
    workspace = Workspace.objects.get(pk=workspace_id)
    keep = dict.fromkeys(_BY_SPAN_DAYS, workspace.span_days) | dict.fromkeys(_BY_RUN_DAYS, workspace.run_days)
    keep["facts of decisions"] = workspace.decision_days
    found = []
    for kind, tables in KINDS.items():
        parts = [sizes[table] for table in tables if table in sizes]
        days = [day for _, _, day in parts if day]
        found.append(
            StorageLine(
                kind,
                sum(size for size, _, _ in parts),
                sum(rows for _, rows, _ in parts),
                min(days) if days else None,
                keep.get(kind),
            )
        )
    return found


def _sizes() -> dict[str, tuple[int, int, date | None]]:
    """Bytes (with indexes), rows by PostgreSQL's estimate, and the oldest day with rows, by table."""
    wanted = [table for tables in KINDS.values() for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(p.relname, c.relname), c.relname, pg_total_relation_size(c.oid), "
            "greatest(c.reltuples, 0), pg_relation_size(c.oid) from pg_class c "
            "left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent "
            "where c.relkind = 'r' and (c.relname = any(%s) or p.relname = any(%s)) "
            "and pg_table_is_visible(c.oid)",
            [wanted, list(PARTITIONED)],
        )
        rows = cursor.fetchall()
    found: dict[str, tuple[int, int, date | None]] = {}
    for table, name, size, estimate, heap in rows:
        so_far = found.get(table, (0, 0, None))
        day = _day(name) if heap else None
        oldest = min((each for each in (day, so_far[2]) if each), default=None)
        found[table] = (so_far[0] + size, so_far[1] + int(estimate), oldest)
    return found


def _day(name: str) -> date | None:
    match = DAY_NAME.search(name)
    return datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date() if match else None
