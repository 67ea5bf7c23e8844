"""What the reviewers' screens write on holds: which batch a hold is in and until when it should be answered; and by
which they find what has changed since they last looked.

A hold is news as long as `looked` is behind its `revision`. Both statements are cheap however many holds there are,
since an index holds only the news.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

NEWS = "(looked is null or looked < revision)"


@dataclass(frozen=True, slots=True)
class Placed:
    """`revision`: of the hold as it was read; should it have changed since, it stays news. None: it was not read."""

    hold_id: UUID
    batch: UUID | None
    due_at: datetime | None = None
    revision: int | None = None


def place(placed: Sequence[Placed]) -> int:
    """Waits for nobody: a hold that somebody is deciding at the moment stays news. Returns how many were placed."""
    if not placed:
        return 0
    columns: list[Any] = [
        [each.hold_id for each in placed],
        [each.batch for each in placed],
        [each.due_at for each in placed],
        [each.revision for each in placed],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "with told as (select * from unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::int[]) "
            "t(id, batch, due_at, revision)), "
            "free as (select id from holds_hold where id in (select id from told) order by id for update skip locked) "
            "update holds_hold h set batch = t.batch, due_at = coalesce(t.due_at, h.due_at), "
            "looked = coalesce(t.revision, h.looked) from told t where h.id = t.id and h.id in (select id from free)",
            columns,
        )
        return int(cursor.rowcount)


def with_news() -> list[int]:
    """Workspaces in which a hold is news."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id from workspaces_workspace w where exists "
            f"(select 1 from holds_hold h where h.workspace_id = w.id and {NEWS})"
        )
        return [row[0] for row in cursor.fetchall()]
