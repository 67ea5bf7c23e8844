"""A draft over recorded decisions, by the very evaluator that runs live: what would have been asked, passed and
refused, and what that would have cost. Pure: recorded decisions in, a report out.

Three things are told apart, since they prove different things. What a person decided has a verdict. What passed without
a person has perhaps an outcome that came later. What has neither proves nothing: it is counted, and never as right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.policies import asks
from orchestration.policies.effects import STRICTNESS, Effect, Kind
from orchestration.policies.evaluate import Rule, bound, evaluate, judge
from orchestration.policies.lookback import Lookback

SHOWN = 200  # decisions that change, in each direction
POINTS = 25  # of the curve
BAD = frozenset(
    {"bad", "wrong", "error", "fraud", "chargeback", "reversed", "default", "defaulted", "loss", "complaint"}
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as it was stored. `facts` are as JSON holds them."""

    id: UUID
    at: datetime
    agent: str
    action_type: str
    effect: str
    facts: Mapping[str, Any]
    run: str = ""
    amount: float | None = None
    verdict: str = ""
    outcome: str = ""
    minutes: float | None = None

    @property
    def went_wrong(self) -> bool:
        """A person refused it, or what came later was bad."""
        return self.verdict == "reject" or self.outcome.casefold() in BAD

    @property
    def is_judged(self) -> bool:
        return bool(self.verdict or self.outcome)


@dataclass(slots=True)
class Side:
    """What one set of rules makes of the history."""

    effects: Counter[str] = field(default_factory=Counter)
    tickets: int = 0
    missed: int = 0  # allowed, though it went wrong
    missed_amount: float = 0.0
    unjudged: int = 0  # allowed, and nobody ever looked
    minutes: float = 0.0
    timed: int = 0  # tickets of which the minutes are known

    def add(self, kind: Kind, recorded: Recorded) -> None:
        self.effects[kind.value] += 1
        if kind == Kind.HOLD:
            self.tickets += 1
            if recorded.minutes is not None:
                self.minutes += recorded.minutes
                self.timed += 1
        if kind == Kind.ALLOW:
            if recorded.went_wrong:
                self.missed += 1
                self.missed_amount += recorded.amount or 0.0
            self.unjudged += not recorded.is_judged


@dataclass(frozen=True, slots=True)
class Changed:
    """A decision that would have come out otherwise."""

    id: UUID
    at: datetime
    agent: str
    action_type: str
    amount: float | None
    run: str
    before: str
    after: str
    verdict: str
    outcome: str
    wrong: bool

    @property
    def looser(self) -> bool:
        return STRICTNESS[Kind(self.after)] < STRICTNESS[Kind(self.before)]


@dataclass(frozen=True, slots=True)
class Point:
    """What another limit would have meant."""

    limit: float
    tickets: int
    missed: int


@dataclass(slots=True)
class Report:
    """`freed`, `held`, `changed` count decisions; `freed_unjudged` those freed ones of which nobody knows whether they
    were right. `otherwise` were recorded under rules that said something else than today's."""

    decisions: int = 0
    first: datetime | None = None
    last: datetime | None = None
    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)
    freed: int = 0
    freed_wrong: int = 0
    freed_unjudged: int = 0
    held: int = 0
    held_right: int = 0
    changed: int = 0
    otherwise: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    freed_cases: list[Changed] = field(default_factory=list)
    held_cases: list[Changed] = field(default_factory=list)
    other_cases: list[Changed] = field(default_factory=list)
    curve: list[Point] = field(default_factory=list)
    true: int = 0  # how often the draft's condition held, of `judged` in its scope
    judged: int = 0

    @property
    def days(self) -> float:
        if self.first is None or self.last is None:
            return 0.0
        return max(1.0, (self.last - self.first).total_seconds() / 86_400)


class Replay:
    """Fed with recorded decisions, oldest first. `live`: the rules in force; `draft` takes the place of its policy."""

    def __init__(self, live: Sequence[Rule], draft: Rule, default: Effect) -> None:
        self._live, self._draft, self._default = tuple(live), draft, default
        self._others = tuple(rule for rule in live if rule.policy != draft.policy)
        places = {rule.policy: place for place, rule in enumerate(live)}
        place = places.get(draft.policy, len(live))
        self._after = (*self._live[:place], draft, *self._live[place + 1 :])
        needs = {need for rule in self._after for need in rule.needs}
        self._lookback = Lookback() if "past" in needs else None
        self._limits = _limits(draft)
        self._ladder = [
            Rule.of(draft.policy, draft.slug, draft.name, draft.version, _body(draft, limit)) for limit in self._limits
        ]
        self._points = [Side() for _ in self._limits]
        self.report = Report()

    def feed(self, history: Iterable[Recorded]) -> None:
        for recorded in history:
            self._one(recorded)

    def finish(self) -> Report:
        report = self.report
        report.curve = [
            Point(limit, side.tickets, side.missed) for limit, side in zip(self._limits, self._points, strict=True)
        ]
        for cases in (report.freed_cases, report.held_cases, report.other_cases):
            cases.sort(key=_worst_first)
            del cases[SHOWN:]
        return report

    def _one(self, recorded: Recorded) -> None:
        facts = self._facts(recorded)
        before = evaluate(self._live, facts, self._default)
        after = evaluate(self._after, facts, self._default)
        report = self.report
        report.decisions += 1
        report.first, report.last = report.first or recorded.at, recorded.at
        report.otherwise += before.effect.kind.value != recorded.effect
        report.before.add(before.effect.kind, recorded)
        report.after.add(after.effect.kind, recorded)
        mine = next((match for match in after.matches if match.rule is self._draft), None)
        if mine:
            report.missing.update(mine.missing)
        if self._draft.scope.takes(facts):
            report.judged += 1
            outcome = mine.outcome if mine else False
            report.true += outcome is True
        if before.effect.kind != after.effect.kind:
            self._change(recorded, before.effect.kind, after.effect.kind)
        if self._ladder:
            self._climb(recorded, facts)

    def _facts(self, recorded: Recorded) -> dict[str, Any]:
        facts = asks.restored(recorded.facts)
        if self._lookback is None:
            return facts
        subjects = asks.subjects_in(facts, recorded.run)
        seen = self._lookback.facts(subjects, recorded.action_type, recorded.at)
        counts = recorded.effect != Kind.DENY and recorded.verdict != "reject"
        amount = facts.get("action.amount")
        self._lookback.add(subjects, recorded.action_type, recorded.at, recorded.agent, amount, counts)
        return {**seen, **facts}  # what was recorded was what the rules saw

    def _change(self, recorded: Recorded, before: Kind, after: Kind) -> None:
        report = self.report
        changed = Changed(
            recorded.id,
            recorded.at,
            recorded.agent,
            recorded.action_type,
            recorded.amount,
            recorded.run,
            before.value,
            after.value,
            recorded.verdict,
            recorded.outcome,
            recorded.went_wrong,
        )
        if after == Kind.ALLOW:
            report.freed += 1
            report.freed_wrong += recorded.went_wrong
            report.freed_unjudged += not recorded.is_judged
            _keep(report.freed_cases, changed)
        elif after == Kind.HOLD and before == Kind.ALLOW:
            report.held += 1
            report.held_right += recorded.went_wrong
            _keep(report.held_cases, changed)
        else:
            report.changed += 1
            _keep(report.other_cases, changed)

    def _climb(self, recorded: Recorded, facts: Mapping[str, Any]) -> None:
        """The same with other limits: what the other rules say is asked once."""
        others = evaluate(self._others, facts, self._default)
        if not self._draft.scope.takes(facts):
            for side in self._points:
                side.add(others.effect.kind, recorded)
            return
        activation = bound(facts)
        for rule, side in zip(self._ladder, self._points, strict=True):
            match = judge(rule, facts, activation)
            effects = [each.effect for each in others.matches] + ([match.effect] if match else [])
            strict = max(effects, key=lambda effect: STRICTNESS[effect.kind]) if effects else self._default
            side.add(strict.kind, recorded)


def _limits(draft: Rule) -> list[float]:
    """Around the draft's limit, round numbers, from nothing to four times as much."""
    limit = draft.limits.get("limit")
    if limit is None or limit <= 0 or "limit" not in draft.program.reads:
        return []
    steps = [limit * 4 * place / (POINTS - 1) for place in range(POINTS)]
    return sorted({float(f"{step:.3g}") for step in steps} | {limit})


def _body(draft: Rule, limit: float) -> dict[str, Any]:
    return {
        "condition": draft.program.text,
        "scope": draft.scope.stored(),
        "then": draft.then.stored(),
        "otherwise": draft.otherwise.stored() if draft.otherwise else None,
        "limits": {**draft.limits, "limit": limit},
        "fail_mode": "closed" if draft.closed else "open",
    }


def _keep(cases: list[Changed], changed: Changed) -> None:
    """Not all of them: twice as many as are shown, of which the worst stay."""
    cases.append(changed)
    if len(cases) >= SHOWN * 4:
        cases.sort(key=_worst_first)
        del cases[SHOWN:]


def _worst_first(changed: Changed) -> tuple[Any, ...]:
    return not changed.wrong, bool(changed.verdict or changed.outcome), -(changed.amount or 0.0), changed.at
