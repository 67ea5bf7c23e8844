"""What a batch says of its cases, counted anew by whoever has changed one, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

COUNT = """
with told as (
    select b.id, count(e.*) filter (where e.open) cases,
        count(e.*) filter (where e.open and e.standing = 'differs') differing,
        min(e.due_at) filter (where e.open) due_at, min(e.opened_at) filter (where e.open) opened_at
    from escalations_batch b left join escalations_escalation e on e.batch_id = b.id
    where b.id = any(%s) group by b.id
)
update escalations_batch b set cases = t.cases, differing = t.differing, due_at = coalesce(t.due_at, b.due_at),
    opened_at = coalesce(t.opened_at, b.opened_at), revision = b.revision + 1,
    closed_at = case when t.cases > 0 then null else coalesce(b.closed_at, now()) end
from told t where t.id = b.id
and (b.cases, b.differing, b.due_at, b.closed_at is null) is distinct from (
    t.cases, t.differing, coalesce(t.due_at, b.due_at), t.cases > 0)
"""


def recount(batch_ids: Iterable[UUID], *, locked: bool = False) -> int:
    """Returns how many said something else before. `late` is time's doing, and counted by the clock. `locked`: the
    caller has locked them all, or has just made them."""
    ids = sorted(batch_ids)
    if not ids:
        return 0
    with connection.cursor() as cursor:
        if not locked:
            cursor.execute("select 1 from escalations_batch where id = any(%s) order by id for update", [ids])
        cursor.execute(COUNT, [ids])
        return int(cursor.rowcount)
