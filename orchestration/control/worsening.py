"""Agents that get worse than they used to be, found as soon as the evidence suffices and not by a window's chance.

Page's cumulative sum (E. S. Page, Continuous Inspection Schemes, Biometrika 1954): each outcome adds the log of how
much likelier it is from an agent that fails twice as often than from this one as it ever was; the sum never falls below
nothing, and starts anew there. From an agent that is as ever, the sum reaches h at most once in e^h outcomes on average
(G. Lorden, Annals of Mathematical Statistics 1971), so that `one_in` = e^sum is told.

Two things keep that true here. What is usual is the upper bound of its interval, since it was only estimated. And
failures come in clusters: the sum is divided by how much more the days of the past differ than chance has it
(overdispersion, as quasi-likelihood takes it), so that one bad hour of a network is not an agent that got worse.

Outcomes are its calls, and apart from them what people said to what it asked: an agent that tells fine stories of its
calls has no say in that.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from orchestration.control import usage
from orchestration.lib.stats import wilson
from orchestration.telemetry import sums
from orchestration.workflows.models import Run, RunStatus

LATELY = timedelta(days=1)  # in which it may have got worse
BEFORE = timedelta(days=30)
ENOUGH = {"calls": 200, "people": 50}  # outcomes before that, or nothing is told of it
TOLD_FROM = 100.0  # one in so many; less is nothing to speak of
CEILING = 1e12
LEAST_RISE = 0.05
KEPT_S = 60.0  # so long what is usual stands
SHOWN = 10  # runs that tripped it


class Part(NamedTuple):
    """Outcomes of a stretch of time, beginning at `at`."""

    at: datetime
    n: int
    failures: int


@dataclass(frozen=True, slots=True)
class Usual:
    """How an agent was. `rate`: the upper bound (95 %) of its failed share. `spread`: by how much its days differ more
    than chance has it, at least 1."""

    rate: float
    spread: float


@dataclass(frozen=True, slots=True)
class Worse:
    """An agent that as ever would look like this at most once in `one_in` outcomes. `since`: from when on."""

    one_in: float
    usual: float
    since: datetime
    n: int
    failures: int
    by: str  # calls | people


def usual(parts: Sequence[Part], enough: int) -> Usual | None:
    """Out of days of the past; None where they say too little."""
    n, failures = sum(part.n for part in parts), sum(part.failures for part in parts)
    found = wilson(failures, n)
    if found is None or n < enough:
        return None
    return Usual(found[1], _spread(parts, min(1 - 0.5 / n, max(0.5 / n, failures / n))))


def _spread(parts: Sequence[Part], rate: float) -> float:
    """Pearson's statistic over its degrees of freedom."""
    if len(parts) < 2:
        return 1.0
    off = sum((part.failures - part.n * rate) ** 2 / (part.n * rate * (1 - rate)) for part in parts if part.n)
    return max(1.0, off / (len(parts) - 1))


def worse(parts: Iterable[Part], was: Usual, by: str) -> Worse | None:
    """Parts in the order of time; None while there is nothing to speak of."""
    low = min(0.9, max(0.001, was.rate))
    high = min(0.95, max(2 * low, low + LEAST_RISE))
    bad, good = log(high / low) / was.spread, log((1 - high) / (1 - low)) / was.spread
    total, since, n, failures = 0.0, None, 0, 0
    for part in parts:
        total += part.failures * bad + (part.n - part.failures) * good
        if total <= 0:
            total, since, n, failures = 0.0, None, 0, 0
        else:
            since, n, failures = since or part.at, n + part.n, failures + part.failures
    one_in = min(CEILING, exp(min(total, 30.0)))
    return Worse(one_in, low, since, n, failures, by) if since and one_in >= TOLD_FROM else None


def found(workspace_id: int, now: datetime) -> dict[int, Worse]:
    """By agent; by its calls or by people, whichever speaks louder."""
    said: dict[int, Worse] = {}
    was = _usual(workspace_id, now)
    for by, parts in (("calls", _calls), ("people", _verdicts)):
        for agent, lately in parts(workspace_id, now - LATELY, now).items():
            known = was.get((by, agent))
            each = worse(sorted(lately), known, by) if known else None
            if each and (agent not in said or each.one_in > said[agent].one_in):
                said[agent] = each
    return said


def tripped(workspace_id: int, agent_id: int, since: datetime) -> list[UUID]:
    """Runs since then in which the agent took part and that failed, the newest first."""
    rows = Run.objects.filter(workspace_id=workspace_id, agents__contains=[agent_id], merged_into=None)
    failed = rows.filter(heard_at__gte=since, status=RunStatus.FAILED).order_by("-heard_at")
    return list(failed.values_list("id", flat=True)[:SHOWN])


def forget() -> None:
    """Empty the memory, between tests."""
    _kept.clear()


_kept: dict[int, tuple[float, Mapping[tuple[str, int], Usual]]] = {}  # by workspace, until when


def _usual(workspace_id: int, now: datetime) -> Mapping[tuple[str, int], Usual]:
    until, known = _kept.get(workspace_id, (0.0, {}))
    if time.monotonic() < until:
        return known
    between = workspace_id, now - BEFORE, now - LATELY
    days = [("calls", agent, parts) for agent, parts in _calls(*between).items()]
    days += [("people", agent, parts) for agent, parts in _verdicts(*between).items()]
    known = {(by, agent): was for by, agent, parts in days if (was := usual(_by_day(parts), ENOUGH[by]))}
    _kept[workspace_id] = time.monotonic() + KEPT_S, known
    return known


def _by_day(parts: Iterable[Part]) -> list[Part]:
    days: dict[datetime, list[Part]] = defaultdict(list)
    for part in parts:
        days[part.at.replace(hour=0, minute=0, second=0, microsecond=0)].append(part)
    return [Part(at, sum(p.n for p in each), sum(p.failures for p in each)) for at, each in sorted(days.items())]


def _calls(workspace_id: int, since: datetime, until: datetime) -> dict[int, list[Part]]:
    rows = usage.rows_between(workspace_id, since, until)
    values = "coalesce(sum(n), 0), coalesce(sum(errors), 0)"
    found = sums.grouped(rows, ("agent_id", "at"), values, f"{usage.IS_CALL} and agent_id > 0")
    return _parts((agent, at, sums.count(n), sums.count(errors)) for agent, at, n, errors in found)


def _verdicts(workspace_id: int, since: datetime, until: datetime) -> dict[int, list[Part]]:
    with connection.cursor() as cursor:
        cursor.execute(_SAID, [workspace_id, since, until])
        return _parts(cursor.fetchall())


_SAID = """
select agent_id, date_trunc('minute', at), count(*), count(*) filter (where verdict = 'reject')
from policies_decision
where workspace_id = %s and at >= %s and at < %s and verdict <> '' and not imported and agent_id > 0
group by 1, 2
"""


def _parts(rows: Iterable[tuple[int, datetime, int, int]]) -> dict[int, list[Part]]:
    found: dict[int, list[Part]] = defaultdict(list)
    for agent, at, n, failures in rows:
        if n:
            found[agent].append(Part(at, n, min(n, failures)))
    return found
