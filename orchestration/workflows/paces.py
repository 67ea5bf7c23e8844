"""Sums of what settled runs have booked, by workflow and by step: the rows that `stats` makes figures of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.lib.stats import COLUMNS, percentile_ms
from orchestration.lib.window import POINTS
from orchestration.telemetry import parts, sums
from orchestration.telemetry.sums import Between, Row, Stretch
from orchestration.workflows.booking import WORKFLOWS
from orchestration.workflows.models import Measure

_COLUMNS = ("workflow_id", "step_id", "measure", "n", "failed", "ms", *COLUMNS)
_SUMS = "sum(n), sum(failed), sum(ms)"
_VALUES = f"{_SUMS}, {sums.HISTOGRAM}"


@dataclass(frozen=True, slots=True)
class Pace:
    """One measure: how many, of these failed, their time in all, and how it is spread."""

    n: int = 0
    failed: int = 0
    ms: int = 0
    counts: tuple[int | None, ...] = ()

    def percentile(self, q: float) -> float | None:
        return percentile_ms(self.counts, q)


NOTHING = Pace()
Measures = dict[int, Pace]


@dataclass(slots=True)
class Booked:
    """All measures of one workflow: of its runs, and of each of its steps by id."""

    whole: Measures = field(default_factory=dict)
    steps: dict[int, Measures] = field(default_factory=dict)

    def of(self, measure: Measure) -> Pace:
        return self.whole.get(measure, NOTHING)


def rows_between(workspace_id: int, since: datetime, until: datetime) -> Stretch:
    return sums.stretch(WORKFLOWS, workspace_id, since, until, _COLUMNS)


def by_workflow(rows: Stretch, workflow_id: int | None = None, *, steps: bool = True) -> dict[int, Booked]:
    """Everything booked, of all workflows or of one; or only what tells of whole runs."""
    where, params = ("true", []) if workflow_id is None else ("workflow_id = %s", [workflow_id])
    if not steps:
        where += " and step_id = 0"
    found: dict[int, Booked] = {}
    for row in sums.grouped(rows, ("workflow_id", "step_id", "measure"), _VALUES, where, params):
        booked = found.setdefault(row[0], Booked())
        measures = booked.steps.setdefault(row[1], {}) if row[1] else booked.whole
        measures[row[2]] = _pace(row[3:])
    for booked in found.values():
        for measures in booked.steps.values():
            _fill(measures)
    return found


def waits(wait: Pace, work: Pace) -> Pace:
    """How a step waited, of all the times that it worked: where it did not wait at all nothing is booked."""
    none = sum(n or 0 for n in work.counts) - sum(n or 0 for n in wait.counts)
    if none <= 0:
        return wait
    first, *others = wait.counts or (0,) * len(work.counts)
    return Pace(work.n, work.failed, wait.ms, ((first or 0) + none, *others))


def _fill(measures: Measures) -> None:
    if Measure.WORK in measures:
        measures[Measure.WAIT] = waits(measures.get(Measure.WAIT, NOTHING), measures[Measure.WORK])


def in_sums(rows: Stretch) -> dict[int, Booked]:
    """Everything booked, without how the times of single steps are spread: histograms of many steps cost most."""
    found = by_workflow(rows, steps=False)
    for row in sums.grouped(rows, ("workflow_id", "step_id", "measure"), _SUMS, "step_id <> 0"):
        found.setdefault(row[0], Booked()).steps.setdefault(row[1], {})[row[2]] = _pace(row[3:])
    return found


def counted(rows: Stretch, measures: Sequence[Measure], workflow_id: int | None = None) -> dict[tuple[int, int], int]:
    """How many of each measure whole runs have booked, by workflow and measure."""
    where = "step_id = 0 and measure = any(%s)"
    params: list[Any] = [[int(measure) for measure in measures]]
    if workflow_id is not None:
        where, params = f"{where} and workflow_id = %s", [*params, workflow_id]
    found = sums.grouped(rows, ("workflow_id", "measure"), "sum(n)", where, params)
    return {(row[0], row[1]): sums.count(row[2]) for row in found}


def of_steps(rows: Stretch, steps: Sequence[int]) -> dict[int, Measures]:
    """What these steps have booked, whole, by step."""
    found: dict[int, Measures] = {}
    for row in sums.grouped(rows, ("step_id", "measure"), _VALUES, "step_id = any(%s)", [list(steps)]):
        found.setdefault(row[0], {})[row[1]] = _pace(row[2:])
    for measures in found.values():
        _fill(measures)
    return found


def together(booked: Mapping[int, Booked]) -> Measures:
    """The measures of whole runs, of all workflows together."""
    found: dict[int, list[Pace]] = {}
    for each in booked.values():
        for measure, pace in each.whole.items():
            found.setdefault(measure, []).append(pace)
    return {measure: _added(parts) for measure, parts in found.items()}


def _added(parts: Sequence[Pace]) -> Pace:
    return Pace(
        sum(part.n for part in parts),
        sum(part.failed for part in parts),
        sum(part.ms for part in parts),
        tuple(sum(n or 0 for n in column) for column in zip(*(part.counts for part in parts), strict=True)),
    )


def by_part(
    workspace_id: int, between: Between, measure: Measure, step_id: int = 0, workflow_id: int | None = None
) -> list[Pace]:
    """One measure in equal parts of the window, for a small chart."""
    (found,) = by_parts(workspace_id, between, [(measure, step_id)], workflow_id=workflow_id)
    return found


def by_parts(
    workspace_id: int,
    between: Between,
    wanted: Sequence[tuple[Measure, int]],
    *,
    workflow_id: int | None = None,
    points: int = POINTS,
) -> list[list[Pace]]:
    """Several measures, each with its step (0: of whole runs), in equal parts of the window; in one pass."""
    rows = parts.in_parts(WORKFLOWS, workspace_id, between, points, _COLUMNS)
    # both as lists, which the key can serve; a pair that nobody asked for costs a row here and there
    where = "measure = any(%s) and step_id = any(%s)"
    params: list[Any] = [[int(measure) for measure, _ in wanted], [step_id for _, step_id in wanted]]
    if workflow_id is not None:
        where, params = f"{where} and workflow_id = %s", [*params, workflow_id]
    rows_found = parts.summed(rows, ("measure", "step_id"), [_VALUES], where, params)
    found = {(row[0], row[1], row[2]): _pace(row[3:]) for row in rows_found}
    return [
        [found.get((place, int(measure), step_id), NOTHING) for place in range(points)] for measure, step_id in wanted
    ]


def _pace(row: Row | Sequence[Any]) -> Pace:
    return Pace(sums.count(row[0]), sums.count(row[1]), sums.count(row[2]), tuple(row[3:]))
