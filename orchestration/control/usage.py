"""Calls and failures out of the figures, by agent, system and kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.lib.stats import COLUMNS, percentile_ms, wilson
from orchestration.lib.window import POINTS
from orchestration.telemetry import sums
from orchestration.telemetry.rollups import SPANS
from orchestration.telemetry.spans import Kind
from orchestration.telemetry.sums import Stretch

Interval = tuple[float, float]  # Wilson, 95 %
CALLS = (Kind.LLM, Kind.TOOL, Kind.RETRIEVAL, Kind.EMBEDDING)
IS_CALL = f"kind in ({', '.join(str(int(kind)) for kind in CALLS)})"
IS_SPAN = f"kind <> {int(Kind.RUN)}"
_KEYS = ("agent_id", "system_id", "kind")
_SUMS = ("n", "errors", "tokens_in", "tokens_out", "cost")
_VALUES = ", ".join(f"sum({name})" for name in _SUMS)


@dataclass(frozen=True, slots=True)
class Use:
    """Sums over spans of like kind. `cost` is None where no span had a price."""

    n: int = 0
    failures: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int | None = None
    counts: tuple[int | None, ...] = ()

    @property
    def rate(self) -> float | None:
        return min(1.0, self.failures / self.n) if self.n else None

    @property
    def interval(self) -> Interval | None:
        return wilson(self.failures, self.n)

    def percentile(self, q: float) -> float | None:
        return percentile_ms(self.counts, q)


NONE = Use()


def total(uses: Iterable[Use]) -> Use:
    """All of them together."""
    found = list(uses)
    costs = [use.cost for use in found if use.cost is not None]
    spread = [use.counts for use in found if use.counts]
    return Use(
        sum(use.n for use in found),
        sum(use.failures for use in found),
        sum(use.tokens_in for use in found),
        sum(use.tokens_out for use in found),
        sum(costs) if costs else None,
        tuple(sum(n or 0 for n in column) for column in zip(*spread, strict=True)),
    )


def rows_between(workspace_id: int, since: datetime, until: datetime) -> Stretch:
    return sums.stretch(SPANS, workspace_id, since, until, (*_KEYS, *_SUMS, *COLUMNS))


def by(
    rows: Stretch, keys: Sequence[str], where: str = IS_CALL, params: Sequence[Any] = (), *, spread: bool = False
) -> dict[tuple[int, ...], Use]:
    """Sums by some of agent_id, system_id and kind; with `spread` their histograms too."""
    values = f"{_VALUES}, {sums.HISTOGRAM}" if spread else _VALUES
    found = sums.grouped(rows, keys, values, where, params)
    return {tuple(row[: len(keys)]): _use(row[len(keys) :]) for row in found}


def by_part(
    rows: Stretch, since: datetime, until: datetime, where: str, params: Sequence[Any] = ()
) -> tuple[list[int], list[int]]:
    """Calls and failures in equal parts of the window, for a small chart."""
    part, wanted = sums.part_of(since, until, POINTS)
    cut = Stretch(f"select {part} as part, * from ({rows.sql}) as r", (*wanted, *rows.params))
    found = {row[0]: row for row in sums.grouped(cut, ("part",), "sum(n), sum(errors)", where, params)}
    pairs = [found.get(place, (place, 0, 0)) for place in range(POINTS)]
    return [sums.count(pair[1]) for pair in pairs], [sums.count(pair[2]) for pair in pairs]


def heard_by_part(rows: Stretch, since: datetime, until: datetime) -> list[int]:
    """How many agents did anything in each part of the window."""
    part, wanted = sums.part_of(since, until, POINTS)
    cut = Stretch(f"select {part} as part, * from ({rows.sql}) as r", (*wanted, *rows.params))
    where = f"agent_id > 0 and n > 0 and {IS_SPAN}"
    found = {row[0]: row[1] for row in sums.grouped(cut, ("part",), "count(distinct agent_id)", where)}
    return [sums.count(found.get(place)) for place in range(POINTS)]


def _use(row: Sequence[Any]) -> Use:
    n, errors, tokens_in, tokens_out = (sums.count(value) for value in row[:4])
    return Use(n, min(errors, n), tokens_in, tokens_out, sums.count(row[4]) or None, tuple(row[5:]))
