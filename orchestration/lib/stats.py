"""Histograms that can be merged by adding, percentiles read from them, and intervals for rates."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import sqrt

ENOUGH = 30  # cases below which a rate says more than is known
BUCKETS = 96
# Upper bounds in microseconds: 2^(i/3) ms. 64 reach 1.6 h, 96 reach 39 days. A percentile is off by at most 12 %.
BOUNDS_US: tuple[int, ...] = tuple(round(1000 * 2 ** (i / 3)) for i in range(BUCKETS))
COLUMNS: tuple[str, ...] = tuple(f"b{i:02d}" for i in range(BUCKETS))
_LAST = BUCKETS - 1


def bucket(us: int) -> int:
    """The histogram column (0 to 95) of a duration in microseconds; longer than the last bound falls into the last."""
    i = bisect_left(BOUNDS_US, us)
    return i if i < BUCKETS else _LAST


def percentile_ms(counts: Sequence[int | None], q: float) -> float | None:
    """The q-quantile (0 to 1) in milliseconds from bucket counts, None when they are empty.

    Inside a bucket values are taken as evenly spread on the log scale that the buckets are made on.
    """
    total = sum(c for c in counts if c and c > 0)
    if not total:
        return None
    rank, seen = q * total, 0
    for i, count in enumerate(counts):
        if not count or count < 0:
            continue
        if seen + count >= rank:
            inside = (rank - seen) / count
            return float(2 ** ((i - 1 + inside) / 3)) if i else inside
        seen += count
    return BOUNDS_US[_LAST] / 1000


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float] | None:
    """Wilson score interval of a proportion (E. B. Wilson 1927, eq. 4), 95 % by default; None when n is 0."""
    if n <= 0:
        return None
    p = min(1.0, max(0.0, successes / n))
    z2 = z * z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)
