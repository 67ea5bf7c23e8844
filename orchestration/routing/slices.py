"""Slices in which cases fail more than in the rest: an agent, a workflow, an act, a trait, or two of these. Pure.

It is looked at again and again, in hundreds of slices that overlap, so no p-value is used:

1. blocks    cases in the order of time, `BLOCK` at once. Given how many of a block failed and how many of it lie in the
             slice, how many of the slice failed is hypergeometric if the slice is like the rest, whatever the rate is
             just then: a bad hour makes nobody guilty
2. bet       the likelihood under higher odds against that under equal ones, block after block, averaged over `ODDS`: an
             e-process (its expectation stays 1 at any stopping time), so that looking every minute costs nothing
3. all       e-BH (Wang and Ramdas 2022) over all slices: false discoveries at most `LEVEL`, however slices depend on
             one another
4. seeds     cases of one task come out alike: the bet of a block is taken to the power of one over the most that any
             task has in it, which keeps it an e-value (Hölder)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp  # type: ignore[import-untyped]

BLOCK = 20
ODDS = (1.5, 2.5, 5.0, 12.0)
LEVEL = 0.05
LEAST = 30  # cases of a slice
MOST_SLICES = 2_000
MOST_VALUES = 30  # of one trait

Trait = tuple[str, str]  # its name and value
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """One case, oldest first in a list. `task`: cases of one task are no fresh evidence."""

    traits: frozenset[Trait]
    failed: bool
    task: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """Cases in it and in the rest, and the evidence (an e-value) that it is worse."""

    traits: tuple[Trait, ...]
    n: int
    failures: int
    rest: int
    rest_failures: int
    evidence: float

    @property
    def rate(self) -> float:
        return self.failures / self.n

    @property
    def rest_rate(self) -> float:
        return self.rest_failures / self.rest if self.rest else 0.0


def worse(cases: Sequence[Case], level: float = LEVEL) -> list[Slice]:
    """Slices proven worse than the rest, strongest evidence first; none that a stronger one explains."""
    found = candidates(cases)
    failed = np.array([case.failed for case in cases], dtype=float)
    alike = _alike(cases)
    judged = [(_judged(traits, inside, failed, alike), inside) for traits, inside in found]
    judged.sort(key=lambda each: -each[0].evidence)
    proven = judged[: _rejected([each.evidence for each, _ in judged], level)]
    return _told([one for one in proven if one[0].rate > one[0].rest_rate], failed)


def candidates(cases: Sequence[Case]) -> list[tuple[tuple[Trait, ...], Array]]:
    """Traits, and two together, that enough cases have and enough have not: by frequency alone, never by outcome."""
    counts = Counter(trait for case in cases for trait in case.traits)
    values: Counter[str] = Counter()
    kept: dict[Trait, Array] = {}
    for trait, n in counts.most_common():
        values[trait[0]] += 1
        if LEAST <= n <= len(cases) - LEAST and values[trait[0]] <= MOST_VALUES:
            kept[trait] = np.array([trait in case.traits for case in cases], dtype=float)
    found: list[tuple[tuple[Trait, ...], Array]] = [((trait,), inside) for trait, inside in kept.items()]
    for one, other in combinations(sorted(kept), 2):
        if one[0] != other[0] and len(found) < MOST_SLICES:
            both = kept[one] * kept[other]
            if both.sum() >= LEAST and both.sum() < min(kept[one].sum(), kept[other].sum()):
                found.append(((one, other), both))
    return found


def evidence(inside: Array, failed: Array, alike: Array) -> float:
    """The e-value of one slice, of whole blocks."""
    blocks = len(failed) // BLOCK
    if not blocks:
        return 1.0
    shape, end = (blocks, BLOCK), blocks * BLOCK
    mine, bad = inside[:end].reshape(shape), failed[:end].reshape(shape)
    n, total, hit = mine.sum(axis=1), bad.sum(axis=1), (mine * bad).sum(axis=1)
    tells = (n > 0) & (n < BLOCK) & (total > 0) & (total < BLOCK)
    if not tells.any():
        return 1.0
    place, hit, power = (n[tells].astype(int), total[tells].astype(int)), hit[tells], alike[tells]
    bets = [float(((hit * np.log(odds) - _norms(odds)[place]) / power).sum()) for odds in ODDS]
    most = max(bets)  # by hand: scipy's takes longer over four numbers than all above together
    return exp(min(700.0, most + log(sum(exp(bet - most) for bet in bets) / len(ODDS))))


def _told(proven: Sequence[tuple[Slice, Array]], failed: Array) -> list[Slice]:
    """Without those that a stronger one explains: their other cases fail hardly more than what is in no slice."""
    told: list[Slice] = []
    free = np.ones(len(failed), dtype=bool)
    for each, inside in proven:
        mine, outside = free & (inside > 0), free & (inside == 0)
        usual = failed[outside].mean() if outside.any() else 0.0
        if mine.sum() >= LEAST // 3 and failed[mine].mean() > 1.5 * usual + 0.02:
            told.append(each)
            free &= inside == 0
    return told


@lru_cache(maxsize=len(ODDS))
def _norms(odds: float) -> Array:
    """By how many of a block lie in the slice, and how many of it failed: the log of what makes likelihoods of Fisher's
    noncentral hypergeometric sum to one, less that of the central one."""
    n, total, at = np.arange(BLOCK + 1.0)[:, None, None], np.arange(BLOCK + 1.0)[None, :, None], np.arange(BLOCK + 1.0)
    possible = (at <= np.minimum(n, total)) & (at >= np.maximum(0, n + total - BLOCK))
    ways = np.where(possible, _choose(n, at) + _choose(BLOCK - n, total - at), -np.inf)
    norms: Array = logsumexp(ways + at * np.log(odds), axis=2) - logsumexp(ways, axis=2)
    return norms


def _choose(n: Array, k: Array) -> Array:
    k = np.clip(k, 0, n)
    ways: Array = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return ways


def _alike(cases: Sequence[Case]) -> Array:
    """Of each whole block the most cases that one task has in all, since what is alike may lie in several blocks."""
    counts: Mapping[str, int] = Counter(case.task for case in cases if case.task)
    blocks = len(cases) // BLOCK
    most = max(counts.values(), default=1)
    return np.full(blocks, float(most))


def _judged(traits: tuple[Trait, ...], inside: Array, failed: Array, alike: Array) -> Slice:
    n, failures = int(inside.sum()), int((inside * failed).sum())
    rest, bad = len(failed) - n, int(failed.sum()) - failures
    return Slice(traits, n, failures, rest, bad, evidence(inside, failed, alike))


def _rejected(evidence: Iterable[float], level: float) -> int:
    """e-BH: how many of these, largest first, are discoveries."""
    values = list(evidence)
    return max((k for k, e in enumerate(values, 1) if e >= len(values) / (level * k)), default=0)
