"""Who gets the work. Pure: candidates with what is measured of them in, one of them and why out.

1. barred    stopped, moved away, an open circuit, a policy that forbids: never
2. probe     a half-open circuit gets a share of what is of no high risk, or nobody would ever know
3. explore   a small share, none on high risk, goes to another one who may be the best: drawn by what each may be worth
             (Thompson), so that who is hopeless is hardly drawn
4. hold on   who has the work keeps it for the dwell, and then until another one is better, and very likely so
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import erf, exp, log, sqrt

from orchestration.lib.stats import ENOUGH

LIKELY = 0.9  # that another one is better, before work goes to it
PROBE_SHARE = 0.1
Z = 1.96
NEW = (7.0, 1.0)  # of whom nothing at all is known, beside no one who is known


@dataclass(frozen=True, slots=True)
class Candidate:
    """`alpha`, `beta`: what it is worth at this work; `n`, `failures` are counted. `barred`: why it is not chosen."""

    id: int
    name: str
    alpha: float
    beta: float
    low: float
    high: float
    n: int
    failures: int
    barred: str = ""
    half_open: bool = False

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    @property
    def words(self) -> str:
        sure = f"{self.low:.0%} to {self.high:.0%}, n={self.n}"
        if self.n < ENOUGH:
            return f"too few calls to tell, taken for {self.mean:.0%} ({sure})"
        return f"{self.mean:.0%} ({sure})"


@dataclass(frozen=True, slots=True)
class Held:
    """Who has this work now."""

    agent: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    exploration: float
    dwell: timedelta
    risky: bool
    now: datetime
    draw: Callable[[], float] = random.random
    beta: Callable[[float, float], float] = random.betavariate


@dataclass(frozen=True, slots=True)
class Chosen:
    """`keeps`: whether who is chosen has the work from now on (a probe or a try changes nothing)."""

    agent: Candidate
    why: str
    explored: bool = False
    keeps: bool = True
    others: Sequence[Candidate] = field(default_factory=tuple)


def choose(candidates: Sequence[Candidate], held: Held | None, wanted: Wanted) -> Chosen | None:
    """None where all are barred."""
    free = sorted((each for each in candidates if not each.barred), key=lambda each: -each.mean)
    sound = [each for each in free if not each.half_open]
    if not sound:
        return (
            Chosen(free[0], f"Nobody else may: {_of(free[0])}.", others=_others(candidates, free[0])) if free else None
        )
    tried = _tried(free, sound, wanted)
    if tried:
        return Chosen(tried[0], tried[1], explored=True, keeps=False, others=_others(candidates, tried[0]))
    one, why = _settled(sound, held, wanted)
    return Chosen(one, why, others=_others(candidates, one))


def likelier(one: Candidate, other: Candidate) -> float:
    """How likely the first is the better one: both betas taken as normal, which at these sizes is near enough."""
    spread = sqrt(_variance(one) + _variance(other))
    return 0.5 * (1 + erf((one.mean - other.mean) / spread / sqrt(2))) if spread else 0.5


def _tried(free: Sequence[Candidate], sound: Sequence[Candidate], wanted: Wanted) -> tuple[Candidate, str] | None:
    if wanted.risky:
        return None
    half = [each for each in free if each.half_open]
    if half and wanted.draw() < PROBE_SHARE:
        return half[0], f"A probe: the circuit of {half[0].name} is half open, and this tells whether it has recovered."
    if len(sound) > 1 and wanted.draw() < wanted.exploration:
        best = max(sound[1:], key=lambda each: wanted.beta(each.alpha, each.beta))
        share = f"{wanted.exploration:.1%}"
        return best, f"A try, as {share} of the work is: {_of(best)}, beside {_of(sound[0])}."
    return None


def _settled(sound: Sequence[Candidate], held: Held | None, wanted: Wanted) -> tuple[Candidate, str]:
    best = sound[0]
    has = next((each for each in sound if held and each.id == held.agent), None)
    if has is None or held is None:
        beside = f" The next is {_of(sound[1])}." if len(sound) > 1 else " There is no other that may."
        return best, f"The most reliable: {_of(best)}.{beside}"
    if has is best:
        beside = f", beside {_of(sound[1])}" if len(sound) > 1 else ""
        return has, f"It has this work, and no other is better: {_of(has)}{beside}."
    sure = likelier(best, has)
    if wanted.now - held.since < wanted.dwell:
        return has, f"It keeps this work for at least {_minutes(wanted.dwell)}: {_of(has)}, beside {_of(best)}."
    if sure < LIKELY:
        return (
            has,
            f"It has this work, and nobody is surely better ({sure:.0%}): {_of(has)}, beside {_of(best)}.",
        )
    return best, f"Better than who had this work, and surely so ({sure:.0%}): {_of(best)}, against {_of(has)}."


def _others(candidates: Sequence[Candidate], one: Candidate) -> tuple[Candidate, ...]:
    rest = [each for each in candidates if each is not one]
    return tuple(sorted(rest, key=lambda each: (bool(each.barred), -each.mean)))


def _of(one: Candidate) -> str:
    return f"{one.name} {one.words}"


def _minutes(dwell: timedelta) -> str:
    n = round(dwell.total_seconds() / 60)
    return "a minute" if n == 1 else f"{n} minutes"


def _variance(one: Candidate) -> float:
    whole = one.alpha + one.beta
    return one.alpha * one.beta / (whole * whole * (whole + 1))


def pooled(cells: Sequence[tuple[float, float, int, int]]) -> tuple[float, float, int, int]:
    """Several cells of one agent (kinds of call on one system) as one: alpha, beta, calls and failures added."""
    alpha, beta, n, failures = (sum(column) for column in zip(*cells, strict=True))
    return float(alpha), float(beta), int(n), int(failures)


def interval(alpha: float, beta: float) -> tuple[float, float]:
    """95 % of a beta, as normal on its log odds: near enough to be told in whole percents, without scipy."""
    middle, half = log(alpha / beta), Z * sqrt(1 / alpha + 1 / beta)
    return 1 / (1 + exp(half - middle)), 1 / (1 + exp(-(middle + half)))


def expected(candidates: Mapping[int, Candidate]) -> tuple[float, float]:
    """What somebody is taken for of whom nothing is measured at this: the others' mean, worth eight calls."""
    known = [each.mean for each in candidates.values() if each.n]
    mean = sum(known) / len(known) if known else NEW[0] / sum(NEW)
    return mean * sum(NEW), (1 - mean) * sum(NEW)
