"""Choices are kept for as long as their keys are good, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection

KEPT = timedelta(days=30)
SLICE = 5_000
FORGET = """
delete from routing_choice c using workspaces_workspace w where c.workspace_id = w.id
and (c.workspace_id, c.id) in (select workspace_id, id from routing_choice where at < %s limit %s)
"""


def forget() -> int:
    """In slices, so that no task is too long for its limit."""
    before, total = datetime.now(UTC) - KEPT, 0
    for _ in range(100):
        with connection.cursor() as cursor:
            cursor.execute(FORGET, [before, SLICE])
            total += cursor.rowcount
            if cursor.rowcount < SLICE:
                break
    return total
