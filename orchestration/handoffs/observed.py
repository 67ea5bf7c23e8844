"""How often telemetry shows one agent hand over to another, by hour: so that a page about thirty days reads some
thousand rows and not each handoff.

Counted in the transaction that writes the handoffs of a run, by what it adds and takes away, so that a run told again
changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

HOUR = timedelta(hours=1)
HOUR_US = 3_600_000_000

Seen = tuple[int, int, int]  # hour since 1970, who gave, who took

FORGET = """
delete from handoffs_handoff where workspace_id = %s and run_id = any(%s)
returning floor(extract(epoch from at) / 3600)::bigint, from_agent_id, to_agent_id
"""
# Sorted, so that two transactions which count the same pairs never wait for each other in a circle.
COUNT = """
insert into handoffs_pairhour (workspace_id, at, from_agent_id, to_agent_id, n)
select %s, to_timestamp(hour * 3600), giver, taker, n
from unnest(%s::bigint[], %s::int[], %s::int[], %s::int[]) x(hour, giver, taker, n)
on conflict (workspace_id, at, from_agent_id, to_agent_id) do update set n = handoffs_pairhour.n + excluded.n
"""
# The hours that lie whole within the time, and the handoffs at its edges.
OBSERVED = """
    select from_agent_id, to_agent_id, sum(n) as n from (
        select from_agent_id, to_agent_id, n from handoffs_pairhour
        where workspace_id = %(workspace)s and at >= %(first_hour)s and at < %(last_hour)s
        union all
        select from_agent_id, to_agent_id, 1 from handoffs_handoff where workspace_id = %(workspace)s
            and (at >= %(since)s and at < %(first_hour)s or at >= %(last_hour)s and at < %(until)s)
    ) each group by 1, 2 having sum(n) > 0
"""


def forget(cursor: Any, workspace_id: int, runs: Iterable[UUID]) -> Counter[Seen]:
    """Delete the handoffs of these runs; how many of each kind these were."""
    cursor.execute(FORGET, [workspace_id, list(runs)])
    return Counter(cursor.fetchall())


def count(cursor: Any, workspace_id: int, more: Counter[Seen], less: Counter[Seen]) -> None:
    more.subtract(less)
    changed = sorted((seen, n) for seen, n in more.items() if n)
    if changed:
        columns = zip(*((*seen, n) for seen, n in changed), strict=True)
        cursor.execute(COUNT, [workspace_id, *(list(column) for column in columns)])


def whole_hours(since: datetime, until: datetime) -> dict[str, datetime]:
    """The first whole hour within a time, and the end of the last; where there is none, both are its end."""
    first = -(-(since - _EPOCH) // HOUR) * HOUR + _EPOCH
    last = (until - _EPOCH) // HOUR * HOUR + _EPOCH
    return {"first_hour": first, "last_hour": last} if first < last else {"first_hour": until, "last_hour": until}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
