"""How well agents hand over to each other, pair by pair: how much was sent, what was sent back, what was completed, how
long work waited to be taken.

What telemetry shows and what agents declare may be the same: in one run and pair so many count as the greater of the
two, and never the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from orchestration.handoffs.observed import OBSERVED, whole_hours
from orchestration.lib.stats import wilson

MOST_PAIRS = 500

# Of a name that only one application has, that one is meant, whether or not it was said.
KNOWN = """
with known as (
    select a.key, min(lower(p.name)) || '/' as app from registry_agent a
    join registry_application p on p.id = a.application_id
    where a.workspace_id = %(workspace)s group by a.key having count(distinct lower(p.name)) = 1
)
"""
DECLARED = """
    select e.*, coalesce(nullif(e.sender_app, '') || '/', f.app, '') || e.sender_key as giver,
        coalesce(nullif(e.receiver_app, '') || '/', t.app, '') || e.receiver_key as taker
    from handoffs_envelope e
    left join known f on f.key = e.sender_key left join known t on t.key = e.receiver_key
    where e.workspace_id = %(workspace)s
"""
# Counted by pair first, and set against what was declared only in the runs that declared something: most declare
# nothing, and there are many.
PAIRS = f"""
{KNOWN}, named as (
    select a.id, lower(p.name) || '/' || a.key as text, a.name from registry_agent a
    join registry_application p on p.id = a.application_id where a.workspace_id = %(workspace)s
), observed as (
    select f.text as giver, t.text as taker, sum(n) as n, max(f.name) as sender, max(t.name) as receiver
    from ({OBSERVED}) h
    join named f on f.id = h.from_agent_id join named t on t.id = h.to_agent_id group by 1, 2
), declared as (
    select run_id, giver, taker, count(*) as n, max(sender) as sender, max(receiver) as receiver
    from ({DECLARED} and e.sent_at >= %(since)s and e.sent_at < %(until)s) e group by 1, 2, 3
), shown as (
    select h.run_id, f.text as giver, t.text as taker, count(*) as n from handoffs_handoff h
    join named f on f.id = h.from_agent_id join named t on t.id = h.to_agent_id
    where h.workspace_id = %(workspace)s and h.at >= %(since)s and h.at < %(until)s
        and h.run_id in (select run_id from declared) group by 1, 2, 3
)
select giver, taker, coalesce(max(d.sender), max(o.sender)), coalesce(max(d.receiver), max(o.receiver)),
    coalesce(max(o.n), 0) + coalesce(sum(d.beyond), 0), coalesce(sum(d.n), 0)
from observed o full join (
    select giver, taker, max(sender) as sender, max(receiver) as receiver, sum(d.n) as n,
        sum(greatest(0, d.n - coalesce(s.n, 0))) as beyond
    from declared d left join shown s using (run_id, giver, taker) group by 1, 2
) d using (giver, taker)
group by 1, 2
"""
STATES = f"""
{KNOWN}
select giver, taker,
    count(*) filter (where state = 'completed'), count(*) filter (where state = 'rejected'),
    count(*) filter (where state = 'expired' or (state = 'sent' and expires_at <= %(now)s)),
    count(accepted_at),
    percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from accepted_at - sent_at) * 1000)
        filter (where accepted_at is not null)
from ({DECLARED} and e.sent_at >= %(since)s and e.sent_at < %(until)s) e
group by 1, 2
"""
OPEN = f"""
{KNOWN}
select giver, taker, max(sender), max(receiver), count(*), count(*) filter (where state = 'sent'),
    min(sent_at) filter (where state = 'sent')
from ({DECLARED} and e.state in ('sent', 'accepted')
    and (e.state = 'accepted' or e.expires_at is null or e.expires_at > %(now)s)) e
group by 1, 2
"""
BOUNCED = f"""
{KNOWN}
select coalesce(f.app, '') || sender_key, coalesce(t.app, '') || receiver_key, max(sender), max(receiver), field, sum(n)
from handoffs_bounce b left join known f on f.key = b.sender_key left join known t on t.key = b.receiver_key
where workspace_id = %(workspace)s and day >= %(first)s and day <= %(last)s
group by 1, 2, 5
"""
Pair = tuple[str, str]  # as `Party.text` has it


@dataclass(slots=True)
class Line:
    """One pair. `seen`: handoffs of it, declared or not, each once; `sent`: declared ones. `missing`: the fields that
    were at fault most often in what was sent back."""

    pair: Pair
    sender: str
    receiver: str
    seen: int = 0
    sent: int = 0
    completed: int = 0
    rejected: int = 0
    expired: int = 0
    bounced: int = 0
    accepted: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    open: int = 0
    waiting: int = 0
    oldest: datetime | None = None
    missing: tuple[tuple[str, int], ...] = ()

    @property
    def tries(self) -> int:
        return self.sent + self.bounced

    @property
    def under_way(self) -> int:
        return self.open - self.waiting

    @property
    def ended(self) -> int:
        """Sent and over: what came of the others is not known yet."""
        return self.completed + self.rejected + self.expired

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the share that was completed."""
        return wilson(self.completed, self.ended)

    @property
    def named(self) -> bool:
        return bool(self.pair[0] and self.pair[1])


def pairs(workspace_id: int, since: datetime, until: datetime, now: datetime) -> list[Line]:
    """Those with most trouble first: sent back, then waiting, then by how much is handed over."""
    values = {"workspace": workspace_id, "since": since, "until": until, "now": now}
    values |= {"first": since.date(), "last": until.date(), **whole_hours(since, until)}
    found: dict[Pair, Line] = {}
    for a, b, sender, receiver, seen, sent in _rows(PAIRS, values):
        found[a, b] = Line((a, b), sender, receiver, int(seen), int(sent))
    for a, b, completed, rejected, expired, accepted, waits in _rows(STATES, values):
        line = found[a, b]
        line.completed, line.rejected, line.expired, line.accepted = completed, rejected, expired, accepted
        line.p50_ms, line.p95_ms = (float(each) for each in waits) if waits else (None, None)
    for a, b, sender, receiver, open_, waiting, oldest in _rows(OPEN, values):
        line = found.setdefault((a, b), Line((a, b), sender, receiver))
        line.open, line.waiting, line.oldest = open_, waiting, oldest
    _count_bounced(found, _rows(BOUNCED, values))
    _tell_apart(found)
    return sorted(found.values(), key=lambda line: (-line.bounced, -line.waiting, -line.seen, line.pair))[:MOST_PAIRS]


def _tell_apart(found: Mapping[Pair, Line]) -> None:
    """An agent's application is said where others are called so too."""
    apps: dict[str, set[str]] = {}
    for text in (each for pair in found for each in pair):
        app, _, key = text.rpartition("/")
        apps.setdefault(key, set()).add(app)
    for (giver, taker), line in found.items():
        line.sender = _called(giver, line.sender, apps)
        line.receiver = _called(taker, line.receiver, apps)


def _called(text: str, name: str, apps: Mapping[str, set[str]]) -> str:
    app, _, key = text.rpartition("/")
    name = name.rpartition("/")[2] or name
    return f"{app}/{name}" if app and len(apps[key]) > 1 else name


def _count_bounced(found: dict[Pair, Line], rows: list[Any]) -> None:
    missing: dict[Pair, list[tuple[str, int]]] = {}
    for a, b, sender, receiver, field, n in rows:
        line = found.setdefault((a, b), Line((a, b), sender, receiver))
        if field:
            missing.setdefault((a, b), []).append((field, int(n)))
        else:
            line.bounced = int(n)
    for pair, fields in missing.items():
        found[pair].missing = tuple(sorted(fields, key=lambda each: (-each[1], each[0])))


def _rows(statement: str, values: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
