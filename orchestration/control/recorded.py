"""Recorded decisions as a replay takes them: pages by key, oldest first, so that a million of them need no more memory
than a thousand, and no transaction stays open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from orchestration.policies.replay_report import Recorded

DAYS = 90
MOST = 200_000
PAGE = 2_000
LONGEST_LOOK = timedelta(days=30)  # of rules that look back
SYNTHETIC = "synthetic"  # in an imported decision's answer: its time was made up

# A verdict may come before the decision that it is about, and facts are forgotten in time.
# Who was stopped was told so by no policy, and would be by none; nor was it one that moved work, or asked about who is
# supervised.
_WHOLE = (
    "action_type <> '' and forgotten_at is null "
    "and not (effect in ('deny', 'delay') and policy_id is null and not imported and answer ? 'stopped') "
    "and not (effect in ('hold', 'route') and policy_id is null and not imported "
    "and coalesce(answer->'reasons'->0->>'policy', '') in ('supervise', 'reroute'))"
)
_COLUMNS = (
    "id, at, agent, action_type, effect, run, amount::float8, verdict, outcome, minutes, imported, "
    "case when imported then answer->>'time' end, facts::text"
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Decisions from `begin` (the first one's time and id) until `until`, in number `total`. `cut`: there are older
    ones in the range that was asked for, beyond the newest `MOST`."""

    workspace_id: int
    since: datetime
    until: datetime
    total: int
    begin: UUID | None = None
    cut: bool = False


def stretch(workspace_id: int, since: datetime | None, until: datetime | None) -> Stretch | None:
    """The decisions of that time; without one the newest 90 days there are. None: there is not a single one."""
    newest = _one(
        f"select max(at) from policies_decision where workspace_id = %s and {_WHOLE} "
        "and (%s::timestamptz is null or at <= %s)",
        [workspace_id, until, until],
    )
    if newest is None or newest[0] is None:
        return None
    until = newest[0]
    since = since or until - timedelta(days=DAYS)
    counted = _one(
        "select count(*) from (select from policies_decision where workspace_id = %s and at >= %s and at <= %s "
        f"and {_WHOLE} limit %s) d",
        [workspace_id, since, until, MOST + 1],
    )
    total = counted[0] if counted else 0
    if total <= MOST:
        return Stretch(workspace_id, since, until, total)
    first = _one(
        f"select at, id from policies_decision where workspace_id = %s and at <= %s and {_WHOLE} "
        "order by at desc, id desc offset %s limit 1",
        [workspace_id, until, MOST - 1],
    )
    at, begin = first or (since, None)
    return Stretch(workspace_id, at, until, MOST, begin, cut=True)


def pages(part: Stretch) -> Iterator[list[Recorded]]:
    at, last = part.since, part.begin
    comes_after = ">="
    left = part.total
    while left > 0:
        found = _page(part, at, last, comes_after, min(PAGE, left))
        if not found:
            return
        yield found
        at, last, comes_after = found[-1].at, found[-1].id, ">"
        left -= len(found)


def before(part: Stretch) -> Stretch | None:
    """What rules that look back may still see of what came before."""
    return stretch(part.workspace_id, part.since - LONGEST_LOOK, part.since - timedelta(microseconds=1))


def _page(part: Stretch, at: datetime, last: UUID | None, comes_after: str, most: int) -> list[Recorded]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {_COLUMNS} from policies_decision where workspace_id = %s and at >= %s and at <= %s "
            f"and (at, id) {comes_after} (%s, %s) and {_WHOLE} order by at, id limit %s",
            [part.workspace_id, at, part.until, at, last or UUID(int=0), most],
        )
        return [_recorded(row) for row in cursor]


def _recorded(row: tuple[Any, ...]) -> Recorded:
    number, at, agent, action, effect, run, amount, verdict, outcome, minutes, imported, time, facts = row
    return Recorded(
        number,
        at,
        agent,
        action,
        effect,
        orjson.loads(facts),
        run,
        amount,
        verdict,
        outcome,
        minutes,
        imported,
        time == SYNTHETIC,
    )


def _one(query: str, values: list[Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row
