"""What is forgotten of declared runs: first what they carried, then that they were. The ledger keeps hashes of it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

SLICE = 5_000
_OVER = "r.workspace_id = %(place)s and r.ended_at < %(before)s and r.state not in ('running', 'undoing')"
_EMPTY = (
    f"update workflows_task t set result = '{{}}', error = '' from workflows_declaredrun r where {_OVER} "
    "and t.workspace_id = %(place)s and t.run_id = r.id and (t.result <> '{}' or t.error <> '')",
    f"update workflows_effect e set data = '{{}}', error = '' from workflows_declaredrun r where {_OVER} "
    "and e.workspace_id = %(place)s and e.run_id = r.id and (e.data <> '{}' or e.error <> '')",
    f"update workflows_declaredrun r set input = '{{}}', title = '', error = '', undo_reason = '' where {_OVER} "
    "and (input <> '{}' or title <> '' or error <> '' or undo_reason <> '')",
)
_GONE = f"select id from workflows_declaredrun r where {_OVER} order by id limit {SLICE}"


def forget_data(workspace_id: int, before: datetime) -> int:
    """Inputs, results and words of runs that ended before then. Returns how many rows were emptied."""
    done = 0
    for statement in _EMPTY:
        with connection.cursor() as cursor:
            cursor.execute(statement, {"place": workspace_id, "before": before})
            done += int(cursor.rowcount)
    return done


def forget_runs(workspace_id: int, before: datetime) -> int:
    """Runs that ended before then, with their tasks and effects; and what triggers did before then."""
    total, done = 0, SLICE
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from workflows_firing where workspace_id = %s and at < %s and state <> 'waiting'",
            [workspace_id, before],
        )
    while done == SLICE:
        with connection.cursor() as cursor:
            cursor.execute(_GONE, {"place": workspace_id, "before": before})
            ids = [row[0] for row in cursor]
            for table in ("workflows_task", "workflows_effect"):
                cursor.execute(f"delete from {table} where workspace_id = %s and run_id = any(%s)", [workspace_id, ids])
            cursor.execute(
                "delete from workflows_declaredrun where workspace_id = %s and id = any(%s)", [workspace_id, ids]
            )
        done = len(ids)
        total += done
    return total
