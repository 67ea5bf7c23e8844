"""The small lines of the overview: five courses over the window, in equal parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from orchestration.control import usage
from orchestration.control.usage import Course, Use
from orchestration.lib.stats import BOUNDS_US
from orchestration.lib.window import POINTS
from orchestration.telemetry.sums import Between, part_of
from orchestration.workflows import paces
from orchestration.workflows.models import Measure
from orchestration.workflows.paces import Pace
from orchestration.workflows.stats import OPEN, Bottleneck


@dataclass(frozen=True, slots=True)
class Points:
    """24 equal parts of the window, oldest first, one line a tile. None where nothing was there to measure."""

    agents: list[int]  # agents heard of
    in_progress: list[float]  # runs in progress, the mean of each part
    ended: list[int]  # runs that ended
    wait_ms: list[float | None]  # p95 wait, or work, of the worst bottleneck
    failure_rate: list[float | None]  # of the agent that fails most
    p50_ms: list[float | None]  # start to end


def points(
    workspace_id: int, between: Between, slow: Bottleneck | None, courses: Mapping[int, Course], worst: int | None
) -> Points:
    step = [(measure, slow.step_id) for measure in (Measure.WAIT, Measure.WORK)] if slow else []
    ended, *of_step = paces.by_parts(workspace_id, between, [(Measure.DURATION, 0), *step])
    if slow and slow.waits:
        of_step = [[paces.waits(wait, work) for wait, work in zip(*of_step, strict=True)]]
    failing = courses.get(worst, usage.STILL) if worst is not None else usage.STILL
    return Points(
        agents=[sum(1 for course in courses.values() if course.spans[place]) for place in range(POINTS)],
        in_progress=under_way(ended, open_since(workspace_id, between), (between[1] - between[0]) / POINTS),
        ended=[part.n for part in ended],
        wait_ms=[part.percentile(0.95) for part in of_step[-1]] if of_step else [None] * POINTS,
        failure_rate=[Use(n, min(f, n)).rate for n, f in zip(failing.calls, failing.failures, strict=True)],
        p50_ms=[part.percentile(0.5) for part in ended],
    )


def open_since(workspace_id: int, between: Between) -> list[int]:
    """How many of the runs that are not over began in each part; those that began earlier count for the first."""
    part, bounds = part_of(*between, POINTS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {part.replace('at,', 'started_at,')}, count(*) from workflows_run "
            "where workspace_id = %s and status = any(%s) and merged_into is null group by 1",
            [*bounds, workspace_id, list(OPEN)],
        )
        found = dict(cursor.fetchall())
    return [found.get(place, 0) for place in range(POINTS)]


def under_way(ended: Sequence[Pace], begun: Sequence[int], width: timedelta) -> list[float]:
    """Runs in progress in the mean of each part, from how long those took that ended and when the open ones began.

    A run is known by the part in which it ended and by its duration, so it is taken to have ended in the middle of that
    part; one that is shorter than half a part then lies in it whole, and what it adds is exact.
    """
    whole = width / timedelta(milliseconds=1)
    busy = [0.0] * len(ended)
    for place, pace in enumerate(ended):
        for i, count in enumerate(pace.counts):
            if count and count > 0:
                _spread(busy, place, BOUNDS_US[i] / 1000 / 2 ** (1 / 6) / whole, count)
    running = 0
    for place, count in enumerate(begun):
        busy[place] += running + count / 2
        running += count
    return [round(each, 3) for each in busy]


def _spread(busy: list[float], place: int, parts: float, count: int) -> None:
    """Adds `count` runs of a length of `parts` that ended in the middle of part `place`."""
    room = 1.0 if parts <= 0.5 else 0.5
    while parts > 0 and place >= 0:
        busy[place] += count * min(parts, room)
        parts, place, room = parts - room, place - 1, 1.0
