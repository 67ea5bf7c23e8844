"""What was before: the same stretch of time a day earlier, or the window before a longer one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.control import usage
from orchestration.control.usage import NONE, Use
from orchestration.lib.stats import ENOUGH
from orchestration.workflows import paces
from orchestration.workflows.models import Measure, Run
from orchestration.workflows.paces import NOTHING, Booked
from orchestration.workflows.stats import WorkflowLine

DAY = timedelta(days=1)
DOUBLED = 2.0


@dataclass(frozen=True, slots=True)
class Slower:
    """A workflow whose p90 has at least doubled."""

    workflow: str
    slug: str
    p90_ms: float
    before_ms: float


@dataclass(frozen=True, slots=True)
class Before:
    """The same stretch a day earlier, since nights are not like days; of more than a day, the window before this one.
    Told only where data goes back that far."""

    runs: int
    failed: int
    p50_ms: float | None
    p90_ms: float | None
    failures: int | None  # of the agent that fails most now
    calls: int | None
    failure_rate: float | None
    slower: list[Slower]  # most first


def before(
    workspace_id: int, since: datetime, until: datetime, worst: int | None, lines: list[WorkflowLine]
) -> Before | None:
    """What was a day before `since` to `until`, or one window before; `worst` is the agent that fails most now."""
    shift = max(DAY, until - since)
    since, until = since - shift, until - shift
    oldest = Run.objects.filter(workspace_id=workspace_id).order_by("started_at", "id").values("started_at").first()
    if oldest is None or oldest["started_at"] > since:
        return None
    paced = paces.by_workflow(paces.rows_between(workspace_id, since, until), steps=False)
    whole = paces.together(paced).get(Measure.DURATION, NOTHING)
    use = _use(workspace_id, since, until, worst)
    return Before(
        runs=whole.n,
        failed=whole.failed,
        p50_ms=whole.percentile(0.5),
        p90_ms=whole.percentile(0.9),
        failures=use.failures if use else None,
        calls=use.n if use else None,
        failure_rate=use.rate if use else None,
        slower=slower(paced, lines),
    )


def _use(workspace_id: int, since: datetime, until: datetime, worst: int | None) -> Use | None:
    if worst is None:
        return None
    rows = usage.rows_between(workspace_id, since, until)
    return usage.by(rows, ("agent_id",), f"{usage.IS_CALL} and agent_id = %s", [worst]).get((worst,), NONE)


def slower(paced: Mapping[int, Booked], lines: list[WorkflowLine]) -> list[Slower]:
    found = []
    for line in lines:
        was = paced.get(line.id, Booked()).of(Measure.DURATION)
        was_ms = was.percentile(0.9)
        if line.p90_ms and was_ms and min(line.runs, was.n) >= ENOUGH and line.p90_ms >= DOUBLED * was_ms:
            found.append(Slower(line.name, line.slug, line.p90_ms, was_ms))
    return sorted(found, key=lambda each: (-each.p90_ms / each.before_ms, each.slug))
