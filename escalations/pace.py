"""How fast cases of a topic are decided, and how often one reviewer's verdicts agree with what others said or with what
came of them. A topic is the skill that is asked for, else the policy, else the agent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from django.db import connection

from orchestration.lib.stats import ENOUGH, wilson
from orchestration.policies.replay_report import BAD

PRIOR_S, WEIGHT = 60.0, 10  # what a case is thought to take, as if so many had been measured
LATELY = timedelta(days=90)
MOST = 20_000
PEERS = 5  # other people's verdicts on the same shape of case before they speak for a majority
PASSING = ("approve", "amend")

_TOPIC = "coalesce(nullif({0}.skill, ''), nullif({0}.policy, ''), {0}.agent)"
PACE = f"""
select {_TOPIC.format("e")} topic, percentile_cont(0.5) within group (order by e.seconds), count(*)
from escalations_escalation e where e.workspace_id = %s and not e.open and e.seconds is not null and e.closed_at > %s
group by 1
"""
SAID = f"""
select h.id, h.reviewer_id, {_TOPIC.format("e")}, e.key, e.seconds, h.verdict, h.first, coalesce(d.outcome, '')
from escalations_escalation e join holds_hold h on h.id = e.hold_id
left join policies_decision d on d.workspace_id = h.workspace_id and d.id = h.decision_id
where e.workspace_id = %s and not e.open and e.closed_at > %s and h.reviewer_id is not null and h.verdict <> ''
order by e.closed_at desc limit {MOST}
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One verdict. `first`: of the first of two people, if two were asked: who, and whether it let pass."""

    hold: UUID
    person: int
    topic: str
    key: str
    seconds: float | None
    passed: bool
    first: tuple[int, bool] | None = None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """One person's verdicts on a topic. `agreed` of `compared`; `seconds`: the median of a case, None: not measured."""

    topic: str
    cases: int
    seconds: float | None
    agreed: int
    compared: int

    @property
    def enough(self) -> bool:
        return self.compared >= ENOUGH

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.agreed, self.compared)

    @property
    def share(self) -> float | None:
        return self.agreed / self.compared if self.compared else None


def expected(medians: Mapping[str, tuple[float, int]], topic: str) -> float:
    """Seconds of one case: the measured median, drawn towards the prior while little is measured."""
    median, count = medians.get(topic, (PRIOR_S, 0))
    return (PRIOR_S * WEIGHT + median * count) / (WEIGHT + count)


def medians(workspace_id: int, now: datetime) -> dict[str, tuple[float, int]]:
    """Median seconds of a topic's cases, and of how many."""
    with connection.cursor() as cursor:
        cursor.execute(PACE, [workspace_id, now - LATELY])
        return {str(topic): (float(median), int(count)) for topic, median, count in cursor.fetchall()}


def said(workspace_id: int, now: datetime) -> list[Said]:
    with connection.cursor() as cursor:
        cursor.execute(SAID, [workspace_id, now - LATELY])
        return [_said(*row) for row in cursor.fetchall()]


def _said(
    hold: UUID, person: int, topic: str, key: str, seconds: float | None, verdict: str, first: object, outcome: str
) -> Said:
    told = orjson.loads(first) if isinstance(first, str) else first
    before = None
    if isinstance(told, dict) and isinstance(told.get("by"), int):
        before = (told["by"], told.get("answer") in PASSING)
    return Said(hold, person, topic, key, seconds, verdict in PASSING, before, outcome.casefold())


def measures(told: Iterable[Said]) -> dict[int, list[Measure]]:
    """For each person, by topic. A verdict is compared with what came of it; else with the other of two people; else
    with what most others said of such cases. One that none of these speaks to is not compared."""
    verdicts = list(told)
    others = _by_key(verdicts)
    rows: dict[tuple[int, str], list[tuple[float | None, bool | None]]] = defaultdict(list)
    for each in verdicts:
        rows[each.person, each.topic].append((each.seconds, _agrees(each, others[each.key])))
        if each.first:
            person, passed = each.first
            rows[person, each.topic].append((None, passed == each.passed))
    found: dict[int, list[Measure]] = defaultdict(list)
    for (person, topic), seen in sorted(rows.items()):
        found[person].append(_measure(topic, seen))
    return dict(found)


def _by_key(verdicts: Iterable[Said]) -> dict[str, dict[int, Counter[bool]]]:
    found: dict[str, dict[int, Counter[bool]]] = defaultdict(lambda: defaultdict(Counter))
    for each in verdicts:
        found[each.key][each.person][each.passed] += 1
    return found


def _agrees(each: Said, others: Mapping[int, Counter[bool]]) -> bool | None:
    if each.outcome and each.passed:
        return each.outcome not in BAD
    if each.first:
        return each.first[1] == each.passed
    told: Counter[bool] = sum((count for person, count in others.items() if person != each.person), Counter())
    if told.total() < PEERS or told[True] == told[False]:
        return None
    return each.passed == (told[True] > told[False])


def _measure(topic: str, seen: list[tuple[float | None, bool | None]]) -> Measure:
    seconds = sorted(each for each, _ in seen if each is not None)
    middle = seconds[len(seconds) // 2] if seconds else None
    compared = [agreed for _, agreed in seen if agreed is not None]
    return Measure(topic, len(seen), middle, sum(compared), len(compared))
