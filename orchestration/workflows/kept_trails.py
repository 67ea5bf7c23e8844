"""What was done in runs that are over, kept as rows: made once by a sweep, read by pages and API, so that what these
cost does not grow with spans.

1. due    of each workflow the newest runs that ended: those never looked at, or settled anew since
2. look   their spans are read once and folded, a bounded number at a time, newest first
3. keep   one row a run; again is the same row, so the sweep may be cut short, repeated, or run twice

Runs whose spans are gone are not looked at any more; what was kept of them stays as long as they do.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.db import connection
from django.utils import timezone

from orchestration.workflows.models import Run, RunStatus, Workflow
from orchestration.workflows.trail_models import TrailRow
from orchestration.workflows.trails import ACTS, MOST_SPANS, TURNS, Act, Trail, stories, trail, versions

ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)
NEWEST = 1_000  # runs of a workflow that are looked at at all
SECONDS = 1.0  # of one sweep
SLICE_SPANS = 5_000  # read at once
MOST_ACTS, TWICE = 200, 2  # of a trail that is kept; of one step in it
MOST_READ, LEAST = 8_000, 40  # acts that one page reads, but for so many runs

log = structlog.get_logger(__name__)
_place = {"after": 0}  # the workflow after which this process goes on

_DUE = """
select r.id from (
    select id, workflow_id, started_at, revision, status from workflows_run
    where workspace_id = %(place)s and workflow_id = %(flow)s and merged_into is null
        and status = any(%(statuses)s) and started_at >= %(since)s and started_at < %(until)s
    order by started_at desc, id desc limit %(newest)s
) r left join workflows_trailrow t on t.workspace_id = %(place)s and t.run_id = r.id
where (t.revision, t.status, t.workflow_id) is distinct from (r.revision, r.status, r.workflow_id)
order by r.started_at desc, r.id desc
"""
_READ = """
select t.run_id, t.started_at, t.status, r.title, t.agents, t.acts, t.turns from workflows_trailrow t
join workflows_run r on r.workspace_id = t.workspace_id and r.id = t.run_id and r.workflow_id = t.workflow_id
where t.workspace_id = %(place)s and t.workflow_id = %(flow)s and r.merged_into is null
    and t.started_at >= %(since)s and t.started_at < %(until)s {only}
order by t.started_at desc, t.run_id desc limit %(most)s
"""
_LONG_AGO, _FAR = datetime(1970, 1, 2, tzinfo=UTC), timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one run. A level is None where it was too long; `agents` are (name, version)."""

    run: UUID
    at: datetime
    status: str
    title: str
    agents: Sequence[tuple[str, str]]
    acts: tuple[Act, ...] | None
    turns: tuple[Act, ...] | None

    def trail(self, level: str) -> Trail | None:
        acts = self.acts if level == ACTS else self.turns
        return None if acts is None else Trail(self.run, self.at, self.status, (), acts)


@dataclass(frozen=True, slots=True)
class SoFar:
    """How many runs were looked at (`k`) of those that are to be (`n`)."""

    k: int
    n: int

    @property
    def all(self) -> bool:
        return self.k >= self.n


def sweep() -> int:
    """Look at runs that are over; how many that were. Bounded: the next one goes on with the next workflow."""
    until, done = time.monotonic() + SECONDS, 0
    flows = list(Workflow.objects.select_related("workspace").order_by("pk"))
    start = next((n for n, flow in enumerate(flows) if flow.pk > _place["after"]), 0)
    for flow in flows[start:] + flows[:start]:
        done += _look(flow, until)
        _place["after"] = flow.pk
        if time.monotonic() > until:
            break
    return done


def _look(flow: Workflow, until: float) -> int:
    ids, done = due(flow), 0
    while ids and time.monotonic() < until:
        done += keep(flow, ids[:25])
        ids = ids[25:]
    return done


def due(flow: Workflow, since: datetime | None = None, until: datetime | None = None) -> list[UUID]:
    """Runs that are to be looked at, newest first."""
    gone = timezone.now() - timedelta(days=flow.workspace.span_days) + timedelta(hours=1)
    told: dict[str, Any] = {
        "place": flow.workspace_id,
        "flow": flow.pk,
        "statuses": [str(each) for each in ENDED],
        "newest": NEWEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DUE, told | {"since": max(gone, since or gone), "until": until or timezone.now() + _FAR})
        return [row[0] for row in cursor]


def keep(flow: Workflow, ids: Sequence[UUID]) -> int:
    """Look at these runs and keep what was done in them. What cannot be told is kept as too long, and logged."""
    rows = list(Run.objects.filter(workspace_id=flow.workspace_id, id__in=ids).order_by("-started_at", "-id"))
    done = 0
    for part in _slices(rows):
        try:
            made = _rows(flow.workspace_id, part)
        except ValueError:
            log.exception("trails_cannot_be_told", workspace=flow.workspace_id, runs=[str(row.id) for row in part])
            made = [_row(row, None, None, ()) for row in part]
        TrailRow.objects.bulk_create(
            made,
            update_conflicts=True,
            unique_fields=["workspace_id", "run_id"],
            update_fields=["workflow_id", "started_at", "status", "revision", "acts", "turns", "agents"],
        )
        done += len(made)
    return done


def _slices(rows: Sequence[Run]) -> Iterator[list[Run]]:
    part: list[Run] = []
    for row in rows:
        if part and sum(min(each.spans, MOST_SPANS) for each in part) + min(row.spans, MOST_SPANS) > SLICE_SPANS:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _rows(workspace_id: int, runs: Sequence[Run]) -> list[TrailRow]:
    told = {row.id: story for row, story in stories(workspace_id, runs)}
    by = versions(workspace_id, [row for row in runs if row.id in told])
    return [
        _row(row, _packed(trail(story, ACTS)), _packed(trail(story, TURNS)), sorted(by.get(row.id, ())))
        if (story := told.get(row.id))
        else _row(row, None, None, ())
        for row in runs
    ]


def _row(row: Run, acts: bytes | None, turns: bytes | None, agents: Iterable[tuple[str, str]]) -> TrailRow:
    return TrailRow(
        workspace_id=row.workspace_id,
        run_id=row.id,
        workflow_id=row.workflow_id,
        started_at=row.started_at,
        status=row.status,
        revision=row.revision,
        acts=acts,
        turns=turns,
        agents=[list(each) for each in agents],
    )


def completed(workspace_id: int, workflow_id: int, most: int, level: str) -> Iterator[Kept]:
    """The newest that completed, one level of each."""
    yield from _read(workspace_id, workflow_id, most, only="and t.status = 'completed'", level=level)


def ended(flow: Workflow, since: datetime, until: datetime, most: int) -> Iterator[Kept]:
    """The newest that began in the window."""
    yield from _read(flow.workspace_id, flow.pk, most, since, until)


def so_far(flow: Workflow, since: datetime | None = None, until: datetime | None = None) -> SoFar:
    """Of the newest runs that ended; of those that began in the window, where one is given."""
    left = len(due(flow, since, until))
    mine = TrailRow.objects.filter(workspace_id=flow.workspace_id, workflow_id=flow.pk)
    if since and until:
        mine = mine.filter(started_at__gte=since, started_at__lt=until)
    k = mine.values("run_id").order_by("-started_at", "-run_id")[:NEWEST].count()
    return SoFar(k, k + left)


def _read(
    workspace_id: int,
    workflow_id: int,
    most: int,
    since: datetime = _LONG_AGO,
    until: datetime | None = None,
    *,
    only: str = "",
    level: str = "",
) -> Iterator[Kept]:
    told: dict[str, Any] = {"place": workspace_id, "flow": workflow_id, "most": most, "since": since}
    with connection.cursor() as cursor:
        cursor.execute(_READ.format(only=only), told | {"until": until or timezone.now() + _FAR})
        rows = cursor.fetchall()
    read = 0
    for place, (run, at, status, title, agents, acts, turns) in enumerate(rows):
        if read > MOST_READ and place >= LEAST:
            return
        of = _unpacked(acts) if level != TURNS else ()
        by = _unpacked(turns) if level != ACTS else ()
        read += len(of or ()) + len(by or ())
        named = [(str(name), str(version)) for name, version in orjson.loads(agents)]
        yield Kept(run, at, status, title, named, of, by)


def _packed(acts: Sequence[Act]) -> bytes | None:
    """None: too many for a path. Of what a run did more than twice the first two tell all but how long each took."""
    times: Counter[str] = Counter()
    kept = []
    for act in acts:
        times[act.key] += 1
        if times[act.key] <= TWICE:
            kept.append(act)
    if len(kept) > MOST_ACTS:
        return None
    told = [[a.name, a.owner, a.human, a.start_ns, a.end_ns, a.tries, a.failed, a.errors] for a in kept]
    return orjson.dumps(told)


def _unpacked(body: Any) -> tuple[Act, ...] | None:
    if body is None:
        return None
    return tuple(
        Act(name, owner, human, start, end, tries, failed, tuple(errors))
        for name, owner, human, start, end, tries, failed, errors in orjson.loads(bytes(body))
    )
