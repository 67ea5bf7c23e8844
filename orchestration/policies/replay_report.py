"""What a replay found: the figures before and after, the decisions that change, the curve. Pure; `told` is its JSON.

Three things are told apart, since they prove different things. What a person decided has a verdict. What passed without
a person has perhaps an outcome that came later. What has neither proves nothing: it is counted, and never as right.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from statistics import median
from typing import Any
from uuid import UUID

from orchestration.policies.effects import STRICTNESS, Kind

SHOWN = 200  # decisions that change, in each direction
FIGURES = (
    *("decisions", "concerned", "imported", "timeless", "freed", "freed_wrong", "freed_unjudged", "held", "held_right"),
    *("held_unjudged", "changed", "otherwise", "limit", "true", "untold", "judged", "always", "never"),
)
BAD = frozenset(
    {"bad", "wrong", "error", "fraud", "chargeback", "reversed", "default", "defaulted", "loss", "complaint"}
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as it was stored. `facts` are as JSON holds them; `timeless`: its time was made up."""

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
    imported: bool = False
    timeless: bool = False

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
    caught: int = 0  # of those, what went wrong
    missed: int = 0  # allowed, though it went wrong
    missed_amount: float = 0.0
    unjudged: int = 0  # allowed, and nobody ever looked
    waits: array[float] = field(default_factory=lambda: array("d"))  # minutes of those tickets of which they are known

    def add(self, kind: Kind, recorded: Recorded) -> None:
        self.effects[kind.value] += 1
        if kind is Kind.HOLD:
            self.tickets += 1
            self.caught += recorded.went_wrong
            if recorded.minutes is not None:
                self.waits.append(recorded.minutes)
        elif kind is Kind.ALLOW:
            if recorded.went_wrong:
                self.missed += 1
                self.missed_amount += recorded.amount or 0.0
            self.unjudged += not recorded.is_judged

    def told(self, days: float) -> dict[str, Any]:
        return {
            "effects": dict(self.effects),
            "tickets": self.tickets,
            "caught": self.caught,
            "tickets_a_day": round(self.tickets / days, 2) if days else None,
            "missed": self.missed,
            "missed_amount": round(self.missed_amount, 2),
            "unjudged": self.unjudged,
            "median_wait_minutes": round(median(self.waits), 2) if self.waits else None,
            "waits_known": len(self.waits),
            "minutes": round(sum(self.waits), 1),
        }


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

    @classmethod
    def of(cls, recorded: Recorded, before: Kind, after: Kind) -> Changed:
        return cls(
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

    @property
    def looser(self) -> bool:
        return STRICTNESS[Kind(self.after)] < STRICTNESS[Kind(self.before)]

    def told(self) -> dict[str, Any]:
        return asdict(self) | {"id": str(self.id), "at": self.at.isoformat(), "looser": self.looser}


@dataclass(frozen=True, slots=True)
class Point:
    """What another limit would have meant."""

    limit: float
    tickets: int
    missed: int


@dataclass(slots=True)
class Report:
    """Tickets and errors are those of the `concerned`: decisions in the scope of the draft, or of the version it takes
    the place of. `freed`, `held`, `changed` count decisions; `freed_unjudged` those freed ones of which nobody knows
    whether they were right. `otherwise`: Baton's own decisions, recorded under rules that said something else than
    today's. `imported` were made elsewhere; of `timeless` ones not even the time is known."""

    decisions: int = 0
    concerned: int = 0
    imported: int = 0
    timeless: int = 0
    first: datetime | None = None
    last: datetime | None = None
    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)
    freed: int = 0
    freed_wrong: int = 0
    freed_unjudged: int = 0
    held: int = 0
    held_right: int = 0
    held_unjudged: int = 0
    changed: int = 0
    otherwise: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    freed_cases: list[Changed] = field(default_factory=list)
    held_cases: list[Changed] = field(default_factory=list)
    other_cases: list[Changed] = field(default_factory=list)
    curve: list[Point] = field(default_factory=list)
    limit: float | None = None  # the draft's, on the curve
    true: int = 0  # how often the draft's condition held, of `judged` in its scope; `untold`: it could not be told
    untold: int = 0
    judged: int = 0

    @property
    def days(self) -> float:
        if self.first is None or self.last is None:
            return 0.0
        return max(1.0, (self.last - self.first).total_seconds() / 86_400)

    @property
    def always(self) -> bool:
        """The draft's condition held in every case of its scope: it separates nothing."""
        return 0 < self.judged == self.true

    @property
    def never(self) -> bool:
        return self.judged > 0 and self.true == 0 and self.untold == 0

    def change(self, recorded: Recorded, before: Kind, after: Kind) -> None:
        changed = Changed.of(recorded, before, after)
        if after is Kind.ALLOW:
            self.freed += 1
            self.freed_wrong += changed.wrong
            self.freed_unjudged += not recorded.is_judged
            _keep(self.freed_cases, changed)
        elif after is Kind.HOLD and before is Kind.ALLOW:
            self.held += 1
            self.held_right += changed.wrong
            self.held_unjudged += not recorded.is_judged
            _keep(self.held_cases, changed)
        else:
            self.changed += 1
            _keep(self.other_cases, changed)

    def finish(self) -> None:
        for cases in (self.freed_cases, self.held_cases, self.other_cases):
            cases.sort(key=_worst_first)
            del cases[SHOWN:]

    def summary(self) -> dict[str, Any]:
        """What is kept with the version: figures, no cases."""
        return {name: getattr(self, name) for name in FIGURES} | {
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "days": round(self.days, 2),
            "before": self.before.told(self.days),
            "after": self.after.told(self.days),
            "missing": dict(self.missing.most_common(20)),
        }

    def told(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return self.summary() | {
            "freed_cases": [case.told() for case in self.freed_cases],
            "held_cases": [case.told() for case in self.held_cases],
            "other_cases": [case.told() for case in self.other_cases],
            "curve": [asdict(point) for point in self.curve],
        }


def _keep(cases: list[Changed], changed: Changed) -> None:
    """Not all of them: some times as many as are shown, of which the worst stay."""
    cases.append(changed)
    if len(cases) >= SHOWN * 4:
        cases.sort(key=_worst_first)
        del cases[SHOWN:]


def _worst_first(changed: Changed) -> tuple[Any, ...]:
    return not changed.wrong, bool(changed.verdict or changed.outcome), -(changed.amount or 0.0), changed.at
