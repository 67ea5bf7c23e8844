"""Calls and failures out of the figures, by agent, system and kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.lib.stats import COLUMNS, percentile_ms, wilson
from orchestration.lib.window import POINTS
from orchestration.telemetry import parts, sums
from orchestration.telemetry.models import SpanDay, SpanMinute
from orchestration.telemetry.rollups import SPANS
from orchestration.telemetry.spans import Kind
from orchestration.telemetry.sums import Between, Stretch

Interval = tuple[float, float]  # Wilson, 95 %
CALLS = (Kind.LLM, Kind.TOOL, Kind.RETRIEVAL, Kind.EMBEDDING)
IS_CALL = f"kind in ({', '.join(str(int(kind)) for kind in CALLS)})"
IS_SPAN = f"kind < {int(Kind.RUN)}"
_KEYS = ("agent_id", "system_id", "kind")
_SUMS = ("n", "errors", "tokens_in", "tokens_out", "cost")
_VALUES = ", ".join(f"sum({name})" for name in _SUMS)
_COURSE = [
    f"sum({name}) filter (where {where})" for name, where in (("n", IS_CALL), ("errors", IS_CALL), ("n", IS_SPAN))
]


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


def by_system(workspace_id: int, agent_id: int, between: Between) -> dict[tuple[int, int], Use]:
    """An agent's calls by (system id, kind), with their histograms; system 0 where none is known."""
    rows = rows_between(workspace_id, *between)
    found = by(rows, ("system_id", "kind"), f"{IS_CALL} and agent_id = %s", [agent_id], spread=True)
    return {(key[0], key[1]): use for key, use in found.items() if use.n}


@dataclass(frozen=True, slots=True)
class Course:
    """What an agent did in each part of the window: calls, failures, and whether it did anything at all."""

    calls: list[int]
    failures: list[int]
    spans: list[int]


STILL = Course([0] * POINTS, [0] * POINTS, [0] * POINTS)


def courses(
    workspace_id: int, between: Between, where: str = "agent_id > 0", params: Sequence[Any] = ()
) -> dict[int, Course]:
    """By agent, in equal parts of the window, for small charts: one pass over the rows."""
    rows = parts.in_parts(SPANS, workspace_id, between, POINTS, (*_KEYS, "n", "errors"))
    found: dict[int, Course] = {}
    for place, agent_id, *values in parts.summed(rows, ["agent_id"], _COURSE, where, params):
        course = found.setdefault(agent_id, Course([0] * POINTS, [0] * POINTS, [0] * POINTS))
        for line, value in zip((course.calls, course.failures, course.spans), values, strict=True):
            line[place] = sums.count(value)
    return found


def _use(row: Sequence[Any]) -> Use:
    n, errors, tokens_in, tokens_out = (sums.count(value) for value in row[:4])
    return Use(n, min(errors, n), tokens_in, tokens_out, sums.count(row[4]) or None, tuple(row[5:]))


def has_costs(workspace_id: int) -> bool:
    """Whether any span was ever priced, as far as figures are kept."""
    tables = (SpanMinute, SpanDay)
    return any(table._default_manager.filter(workspace_id=workspace_id, cost__gt=0).exists() for table in tables)
