"""Counts to reliability: a hierarchy of beta distributions, cell under agent and system under workspace. Pure.

1. worth     calls of one task, or of one hour, come out alike: n is divided by their design effect (ratio estimator of
             a clustered sample, Cochran 1977, ch. 9), so that seeds of the same task are no fresh evidence
2. centre    what a cell would be expected to be: its agent's and its system's deviation from the workspace, added as
             log odds, each shrunk towards none by how little agents, or systems, differ
3. strength  how many calls that expectation is worth: the one under which all cells together are most likely
             (beta-binomial, empirical Bayes), so that cells that differ little are shrunk much
4. posterior beta, with an interval of equal tails
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln  # type: ignore[import-untyped]

Array = NDArray[np.float64]
STRENGTHS = np.geomspace(2.0, 400.0, 48)
DOUBT = 10  # groups that the common design effect is worth beside a cell's own
MOST_EFFECT = 50.0
LEAST = 1e-4  # no share is taken to be 0 or 1


class Counted(NamedTuple):
    """Calls and failures, decayed; and sums over groups (tasks, hours) of n², n·f and f², for their design effect.
    `counted`: calls and failures as they are."""

    n: float
    failures: float
    groups: int = 0
    nn: float = 0.0
    nf: float = 0.0
    ff: float = 0.0
    counted: tuple[int, int] = (0, 0)


class Place(NamedTuple):
    """What is measured: an agent on something (a system and kind of call, or a task)."""

    agent: int
    what: str


@dataclass(frozen=True, slots=True)
class Posterior:
    """Share that succeeds: beta(alpha, beta), of `n` calls that are worth `sure`."""

    n: int
    failures: int
    sure: float
    alpha: float
    beta: float
    low: float
    high: float

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)


def grouped(groups: Iterable[tuple[float, float]]) -> Counted:
    """Of groups, each as calls and failures: the seeds of one task, the calls of one hour."""
    found = [(n, f) for n, f in groups if n > 0]
    n, failures = sum(n for n, _ in found), sum(f for _, f in found)
    nn, nf, ff = sum(n * n for n, _ in found), sum(n * f for n, f in found), sum(f * f for _, f in found)
    return Counted(n, failures, len(found), nn, nf, ff, (round(n), round(failures)))


def design_effect(counted: Counted, common: float = 1.0) -> float:
    """By how much n overstates the evidence; few groups say little, so that what all cells show counts too."""
    n, failures = counted.n, counted.failures
    p = failures / n if n else 0.0
    if counted.groups < 2 or not 0 < p < 1:
        return common
    between = counted.ff - 2 * p * counted.nf + p * p * counted.nn
    own = between * counted.groups / (counted.groups - 1) / (n * p * (1 - p))
    weighed = (own * (counted.groups - 1) + common * DOUBT) / (counted.groups - 1 + DOUBT)
    return min(MOST_EFFECT, max(1.0, weighed))


def posteriors(counts: Mapping[Place, Counted], level: float = 0.95) -> dict[Place, Posterior]:
    """Of all cells of a workspace, each shrunk towards what its agent and its system let expect."""
    if not counts:
        return {}
    places = list(counts)
    common = _common(counts.values())
    n = np.array([counts[each].n / design_effect(counts[each], common) for each in places])
    f = np.array([counts[each].failures / max(counts[each].n, 1e-9) for each in places]) * n
    centre = centres(places, n, f)
    strength = strength_of(n, f, centre)
    alpha, beta = strength * (1 - centre) + n - f, strength * centre + f
    tail = (1 - level) / 2
    low, high = betaincinv(alpha, beta, tail), betaincinv(alpha, beta, 1 - tail)
    return {
        place: Posterior(
            *counts[place].counted, float(n[i]), float(alpha[i]), float(beta[i]), _in(low[i]), _in(high[i])
        )
        for i, place in enumerate(places)
    }


def centres(places: Sequence[Place], n: Array, f: Array) -> Array:
    """The share of failures that each cell's agent and system let expect, by their other cells. However many calls a
    cell has, it is one case of its agent: by its neighbours' spread it tells no more than `told` calls would."""
    whole = _bounded((f.sum() + 0.5) / (n.sum() + 1.0))
    spread = strength_of(n, f, np.full(len(n), whole))
    told = n * (spread + 1) / (n + spread)
    failed = f / np.maximum(n, 1e-9) * told
    agents = _levels([each.agent for each in places], told, failed, whole)
    systems = _levels([each.what for each in places], told, failed, whole)
    odds = _odds(agents) + _odds(systems) - _odds(np.array([whole]))
    return np.clip(1 / (1 + np.exp(-odds)), LEAST, 1 - LEAST)


def strength_of(n: Array, f: Array, centre: Array) -> float:
    """The number of calls that the expectation is worth: most likely over a grid, with a little doubt (two cells that
    happen to agree are not taken for one)."""
    a, b = np.outer(STRENGTHS, centre), np.outer(STRENGTHS, 1 - centre)
    likely = (betaln(a + f, b + n - f) - betaln(a, b)).sum(axis=1) - np.log(STRENGTHS)
    weights = np.exp(likely - likely.max())
    return float(np.exp((weights * np.log(STRENGTHS)).sum() / weights.sum()))


def _common(counts: Iterable[Counted]) -> float:
    """The design effect of all cells together."""
    above, below = float(DOUBT), float(DOUBT)
    for each in counts:
        if each.groups >= 2 and 0 < each.failures < each.n:
            p = each.failures / each.n
            between = each.ff - 2 * p * each.nf + p * p * each.nn
            above += between * each.groups / (each.n * p * (1 - p))
            below += each.groups - 1
    return min(MOST_EFFECT, max(1.0, above / below))


def _levels(keys: Sequence[int] | Sequence[str], n: Array, f: Array, whole: float) -> Array:
    """For each cell what the others of its key show, shrunk towards the whole by how little keys differ."""
    _, place = np.unique(np.array(keys), return_inverse=True)
    calls, failures = np.bincount(place, n).astype(float), np.bincount(place, f).astype(float)
    strength = strength_of(calls, failures, np.full(len(calls), whole))
    share = (failures[place] - f + strength * whole) / (calls[place] - n + strength)
    return np.clip(share, LEAST, 1 - LEAST)


def _bounded(p: float) -> float:
    return min(1 - LEAST, max(LEAST, float(p)))


def _odds(p: Array) -> Array:
    return np.log(p / (1 - p))


def _in(value: float) -> float:
    return min(1.0, max(0.0, float(value)))
