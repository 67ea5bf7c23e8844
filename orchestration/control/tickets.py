"""What people were asked, by the day it was asked, and whether they changed what was proposed: questions of this place,
and those of elsewhere that were told with their verdicts. What a precedent answered, nobody was asked. From indexes
alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

DAYS = """
select extract(epoch from day - %s)::int / 86400, sum(n)::int,
    coalesce(sum(n) filter (where verdict not in ('', 'approve')), 0)::int,
    coalesce(sum(n) filter (where verdict = 'approve'), 0)::int
from (
    select date_bin('1 day', opened_at, %s) as day, verdict, count(*) as n from holds_hold
    where workspace_id = %s and opened_at >= %s and opened_at < %s and precedent_id is null
    group by 1, 2
    union all
    select date_bin('1 day', at, %s), verdict, count(*) from policies_decision
    where workspace_id = %s and at >= %s and at < %s and imported and effect = 'hold' group by 1, 2
) t group by day
"""


@dataclass(frozen=True, slots=True)
class Tickets:
    """Of one day. What is in neither of the two waits for a verdict, or was taken back."""

    asked: int = 0
    changed: int = 0  # rejected, changed, sent back, or run out
    unchanged: int = 0


def by_day(workspace_id: int, since: datetime, until: datetime) -> dict[int, Tickets]:
    """Days of 24 hours, numbered from `since`; those without any are left out."""
    between: list[int | datetime] = [since, workspace_id, since, until]
    with connection.cursor() as cursor:
        cursor.execute(DAYS, [since, *between, *between])
        return {int(row[0]): Tickets(*map(int, row[1:])) for row in cursor.fetchall()}
