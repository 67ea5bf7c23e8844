"""How policies stand: what each one asks of people, what shadows would change, and which rules look wrong by what was
decided lately. Reads recorded decisions; changes nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.utils import timezone

from orchestration.policies import asks, cel
from orchestration.policies.effects import STRICTNESS
from orchestration.policies.evaluate import Rule, missing, said
from orchestration.policies.together import KNOWN, Together, names_in

DAYS = 30
LOOKED_AT = 2_000  # decisions that an editor's quick look goes over
LISTED = 200  # and that the list goes over
ENOUGH = 30  # cases below which nothing is called always or never
PATIENCE_S = 0.15  # of the processor
FRESH_S = 60.0
QUIET = timedelta(days=7)  # live for so long without having decided anything: unused
MOST_FIELDS = 200

_Came = tuple[int, tuple[int, ...]]  # how conditions came out: those true, as bits; the places of those not told
_clock = time.thread_time
_looked: dict[tuple[int, int], tuple[float, dict[UUID, list[str]]]] = {}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one policy in the last `days`, fewer where the workspace has not decided for so long. `judged`: tickets that a
    person has decided; `changed`: those not approved."""

    decisions: int = 0
    tickets: int = 0
    judged: int = 0
    changed: int = 0
    days: float = 1.0
    last: datetime | None = None

    @property
    def a_day(self) -> float:
        return self.tickets / max(1.0, self.days)

    @property
    def first_day(self) -> bool:
        """What some hours ask of people tells nothing of a day."""
        return self.days < 1


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
        policy: Figures(n, tickets, judged, changed, (until - first) / timedelta(days=1), last)
        for policy, n, tickets, judged, changed, last, first in rows
    }


def lately(workspace_id: int, most: int = LOOKED_AT) -> list[dict[str, Any]]:
    """Facts of the newest recorded decisions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select facts from policies_decision where workspace_id = %s and forgotten_at is null "
            "order by at desc limit %s",
            [workspace_id, most],
        )
        return [asks.restored(orjson.loads(facts)) for (facts,) in cursor]  # JSON as text


def look(rule: Rule, others: Sequence[Rule], history: Sequence[Mapping[str, Any]]) -> Look:
    """What `history`, newest first, says of a rule, alone and beside live rules of the same scope; as much of it as
    can be looked at while somebody types. Pure but for the clock.

    Conditions are asked together, and what follows is worked out once for all cases in which they came out alike."""
    rivals = [other for other in others if other.policy != rule.policy and same_scope(rule, other)]
    programs = [each.program for each in (rule, *rivals)]
    asked = _Asked(programs)
    found, seen, begun = Look(beside={each.policy: _Beside(each.name) for each in rivals}), Counter[_Came](), _clock()
    for facts in history:
        if _clock() - begun > PATIENCE_S:
            break
        found.decisions += 1
        if not rule.scope.takes(facts):
            continue
        found.cases += 1
        came = asked.on(facts)
        seen[came] += 1
        if 0 in came[1]:
            for name in missing(rule, facts):
                found.lacking[name] = found.lacking.get(name, 0) + 1
    for came, n in seen.items():
        _count(found, (rule, *rivals), came, n)
    return found


class _Asked:
    """Conditions on many facts, once for all that are alike in what the conditions name."""

    def __init__(self, programs: Sequence[cel.Program]) -> None:
        self._together, self._names = Together(programs), names_in(programs)
        self._came: dict[tuple[tuple[type, Any], ...], _Came] = {}

    def on(self, facts: Mapping[str, Any]) -> _Came:
        known = {name: facts.get(name) for name in self._names}
        if KNOWN in known:
            known[KNOWN] = sorted(facts)
        try:
            key = tuple([(type(value), value) for value in known.values()])
            found = self._came.get(key)
        except TypeError:  # maps and lists
            return self._ask(known)
        if found is None:
            found = self._came[key] = self._ask(known)
        return found

    def _ask(self, known: Mapping[str, Any]) -> _Came:
        true, untold = self._together.test(cel.activation(known))
        return true, tuple(sorted(place for place, _ in untold))


def _count(found: Look, rules: Sequence[Rule], came: _Came, n: int) -> None:
    """Add `n` cases in which conditions came out alike: those true, as bits, and the places of those not told."""
    true, failed = came
    found.true += n * (true & 1)
    found.failed += n * (0 in failed)
    mine, *theirs = (said(rule, "" if place in failed else bool(true >> place & 1)) for place, rule in enumerate(rules))
    for rival, effect in zip(rules[1:], theirs, strict=True):
        if mine and effect:
            _compare(found.beside[rival.policy], STRICTNESS[mine.kind], STRICTNESS[effect.kind], n)


def _compare(beside: _Beside, ours: int, other: int, n: int) -> None:
    beside.both += n
    beside.stricter += n * (other > ours)
    beside.milder += n * (other < ours)


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
