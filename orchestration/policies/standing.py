"""How policies stand: what each one asks of people, what shadows would change, and which rules look wrong by what was
decided lately. Reads recorded decisions; changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from orchestration.policies import asks
from orchestration.policies.effects import STRICTNESS
from orchestration.policies.evaluate import Match, Rule, bound, judge
from orchestration.policies.models import Decision

DAYS = 30
LOOKED_AT = 2_000  # decisions that an editor's quick look goes over
LISTED = 200  # and that the list goes over
ENOUGH = 30  # cases below which nothing is called always or never
PATIENCE_S = 0.15  # of the processor
FRESH_S = 60.0
QUIET = timedelta(days=7)  # live for so long without having decided anything: unused
MOST_FIELDS = 200

_looked: dict[tuple[int, int], tuple[float, dict[UUID, list[str]]]] = {}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one policy in the last `days`. `judged`: tickets that a person has decided; `changed`: those not approved."""

    decisions: int = 0
    tickets: int = 0
    judged: int = 0
    changed: int = 0
    days: float = 1.0
    last: datetime | None = None

    @property
    def a_day(self) -> float:
        return self.tickets / self.days


@dataclass(slots=True)
class Look:
    """What recorded decisions say of a rule. `cases` lie in its scope, `true` of them fulfil its condition, `failed`
    could not be told; `lacking` are the facts that were missing."""

    decisions: int = 0
    cases: int = 0
    true: int = 0
    failed: int = 0
    lacking: dict[str, int] = field(default_factory=dict)
    beside: dict[UUID, _Beside] = field(default_factory=dict)

    @property
    def always(self) -> bool:
        return self.cases >= ENOUGH and self.true == self.cases

    @property
    def never(self) -> bool:
        return self.cases >= ENOUGH and not self.true and not self.failed

    @property
    def shadowed_by(self) -> list[str]:
        """Live policies of the same scope that said something stricter whenever this one spoke."""
        return [b.name for b in self.beside.values() if b.both >= ENOUGH and b.stricter == b.both]

    @property
    def overrules(self) -> list[str]:
        """Those that this one always contradicts, being stricter."""
        return [b.name for b in self.beside.values() if b.both >= ENOUGH and b.milder == b.both]


@dataclass(slots=True)
class _Beside:
    name: str
    both: int = 0
    stricter: int = 0  # the other is
    milder: int = 0


def figures(workspace_id: int) -> dict[UUID | None, Figures]:
    """By policy; None is the default. What was brought in from elsewhere was nobody's work here."""
    until = timezone.now()
    since = until - timedelta(days=DAYS)
    with connection.cursor() as cursor:
        cursor.execute(
            "select policy_id, count(*), count(*) filter (where effect = 'hold'), "
            "count(*) filter (where effect = 'hold' and verdict in ('approve', 'reject', 'amend')), "
            "count(*) filter (where effect = 'hold' and verdict in ('reject', 'amend')), max(at), "
            "min(min(at)) over () from policies_decision "
            "where workspace_id = %s and at >= %s and not imported group by policy_id",
            [workspace_id, since],
        )
        rows = cursor.fetchall()
    return {
        policy: Figures(n, tickets, judged, changed, max(1.0, (until - first) / timedelta(days=1)), last)
        for policy, n, tickets, judged, changed, last, first in rows
    }


def lately(workspace_id: int, most: int = LOOKED_AT) -> list[dict[str, Any]]:
    """Facts of the newest recorded decisions."""
    whole = Decision.objects.filter(workspace_id=workspace_id, forgotten_at=None)
    rows = whole.order_by("-at").values_list("facts", flat=True)[:most]
    return [asks.restored(facts) for facts in rows]


def look(rule: Rule, others: Sequence[Rule], history: Sequence[Mapping[str, Any]]) -> Look:
    """What `history`, newest first, says of a rule, alone and beside live rules of the same scope; as much of it as
    can be looked at while somebody types. Pure but for the clock."""
    rivals = [other for other in others if other.policy != rule.policy and same_scope(rule, other)]
    found, begun = Look(beside={other.policy: _Beside(other.name) for other in rivals}), time.thread_time()
    for facts in history:
        if time.thread_time() - begun > PATIENCE_S:
            break
        found.decisions += 1
        if not rule.scope.takes(facts):
            continue
        found.cases += 1
        activation = bound(facts)
        mine = judge(rule, facts, activation)
        _count(found, mine)
        if mine:
            for other in rivals:
                _compare(found.beside[other.policy], mine, judge(other, facts, activation))
    return found


def _count(found: Look, mine: Match | None) -> None:
    found.true += bool(mine and mine.outcome is True)
    if mine and isinstance(mine.outcome, str):
        found.failed += 1
        for name in mine.missing:
            found.lacking[name] = found.lacking.get(name, 0) + 1


def _compare(beside: _Beside, mine: Match, theirs: Match | None) -> None:
    if theirs is None:
        return
    ours, other = STRICTNESS[mine.effect.kind], STRICTNESS[theirs.effect.kind]
    beside.both += 1
    beside.stricter += other > ours
    beside.milder += other < ours


def same_scope(one: Rule, other: Rule) -> bool:
    def folded(rule: Rule) -> dict[str, set[str]]:
        return {part: {name.casefold() for name in names} for part, names in rule.scope.stored().items()}

    return folded(one) == folded(other)


def overruled(workspace_id: int, generation: int, rules: Sequence[Rule]) -> dict[UUID, list[str]]:
    """Of all live rules, those that another one of the same scope overruled in every recent case, with its name.
    Remembered for a minute: a list is looked at more often than rules change."""
    key = workspace_id, generation
    kept = _looked.get(key)
    if kept and kept[0] > time.monotonic():
        return kept[1]
    suspects = [rule for rule in rules if any(r.policy != rule.policy and same_scope(rule, r) for r in rules)]
    history = lately(workspace_id, LISTED) if suspects else []
    found = {rule.policy: names for rule in suspects if (names := look(rule, rules, history).shadowed_by)}
    if len(_looked) > 1_000:
        _looked.clear()
    _looked[key] = time.monotonic() + FRESH_S, found
    return found


def sent_fields(history: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Fields of the open maps that agents have sent, by the names a rule would use."""
    found: dict[str, None] = {}
    for facts in history:
        for name in ("action.arguments", "context"):
            _names(name, facts.get(name), found, depth=3)
        if isinstance(customer := facts.get("customer"), dict):
            _names("customer", customer, found, depth=2)
        if len(found) >= MOST_FIELDS:
            break
    return tuple(found)[:MOST_FIELDS]


def _names(head: str, value: Any, found: dict[str, None], depth: int) -> None:
    if not isinstance(value, dict) or not depth:
        return
    for key, inner in value.items():
        if isinstance(key, str) and key.isidentifier() and key.isascii() and len(key) <= 60:
            if isinstance(inner, dict):
                _names(f"{head}.{key}", inner, found, depth - 1)
            else:
                found[f"{head}.{key}"] = None


def forget() -> None:
    """Empty the memory, between tests."""
    _looked.clear()
