"""Why an agent's steps failed, from the newest of its runs that had failures: told by the fold, so that what climbs
from a step to those above it counts once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from orchestration.telemetry.spans import Kind
from orchestration.workflows.fold import fold
from orchestration.workflows.models import Run, Trace
from orchestration.workflows.reading import Bounds, steps_of
from orchestration.workflows.story import Placed, Step

RUNS = 30  # that are looked into
MOST_STEPS = 4_000  # of all of them together
_NUMBERS = re.compile(r"\d+(?:[.,]\d+)*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Cause:
    """Failures of like steps with like errors. `error` is the newest as it was reported, `run` and `step` where."""

    step: str
    system: str
    error: str
    last_at: datetime
    run: UUID
    step_id: str
    count: int = 0
    runs: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Causes:
    """Most frequent first; `runs` is how many runs were looked into."""

    found: list[Cause]
    runs: int


def causes(workspace_id: int, agent_id: int, who: tuple[str, str], since: datetime) -> Causes:
    """`who` is the agent as steps name it: application and name. Reads a bounded number of steps."""
    traces = _traces(workspace_id, agent_id, since)
    by_run: dict[UUID, list[Step]] = {}
    for step in steps_of(workspace_id, [bounds for bounds, _ in traces.values()]):
        by_run.setdefault(traces[step.trace_id][1], []).append(step)
    found: dict[tuple[str, str, str], Cause] = {}
    for run_id, steps in by_run.items():
        for each in fold(steps).placed:
            if each.failed and (each.application, each.agent) == who:
                _book(found, run_id, each)
    rank = sorted(found.values(), key=lambda cause: (-cause.count, -cause.last_at.timestamp(), cause.step))
    return Causes(rank, len(by_run))


def _traces(workspace_id: int, agent_id: int, since: datetime) -> dict[bytes, tuple[Bounds, UUID]]:
    """Those of the newest runs with failures, as many as may be read."""
    failing = Run.objects.filter(
        workspace_id=workspace_id, agents__contains=[agent_id], started_at__gte=since, errors__gt=0, merged_into=None
    )
    wanted, steps = [], 0
    for run_id, spans in failing.order_by("-started_at", "-id").values_list("id", "spans")[:RUNS]:
        if steps + spans <= MOST_STEPS:
            wanted.append(run_id)
            steps += spans
    rows = Trace.objects.filter(workspace_id=workspace_id, run_id__in=wanted)
    return {
        bytes(trace_id): ((bytes(trace_id), _micros(started), _micros(ended)), run_id)
        for trace_id, run_id, started, ended in rows.values_list("trace_id", "run_id", "started_at", "ended_at")
        if run_id
    }


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _book(found: dict[tuple[str, str, str], Cause], run_id: UUID, each: Placed) -> None:
    step = each.step
    name = each.agent if each.kind == Kind.AGENT else step.subject or step.name
    key = name, step.system, _NUMBERS.sub("#", step.error)
    at = _EPOCH + timedelta(microseconds=step.start_ns // 1000)
    cause = found.setdefault(key, Cause(name, step.system, step.error, at, run_id, step.span_id.hex()))
    if at >= cause.last_at:
        cause.error, cause.last_at, cause.run, cause.step_id = step.error, at, run_id, step.span_id.hex()
    cause.count += 1
    cause.runs.add(run_id)
