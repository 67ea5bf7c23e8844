"""The trail of a run: what was done in it, in order, at one level of detail. What learning and conformance compare.

At the level of acts a trail holds calls of tools, retrievals and the work of people, and turns of agents in which
nothing of that happened. At the level of turns it holds turns of agents and the work of people, whatever lies within.
Tries after a failure are no acts of their own: they lengthen the first one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from django.db import connection

from orchestration.lib.names import normal
from orchestration.telemetry.spans import AGENT, HUMAN, RETRIEVAL, STEP, TOOL
from orchestration.workflows.fold import fold
from orchestration.workflows.fold_times import PEOPLE
from orchestration.workflows.models import Run, Trace
from orchestration.workflows.reading import Bounds, steps_of
from orchestration.workflows.story import Placed, Story

ACTS, TURNS = "acts", "turns"
UNITS = {ACTS: frozenset({TOOL, RETRIEVAL, HUMAN, STEP, AGENT}), TURNS: frozenset({AGENT, HUMAN})}
MOST_SPANS = 2_000  # of a run that is read for its trail
MOST_READ = 60_000  # of all that are read at once
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|(?<![A-Za-z])[0-9a-fA-F]{8,}(?![A-Za-z])|\d+")
_CLASS = re.compile(r"[A-Za-z_][\w.]{1,60}(?=:|$)")


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    """Few names are met again and again."""
    return normal(name)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done. `tries` counts attempts; `errors` are the classes of those that failed, where they say one."""

    name: str
    owner: str
    human: bool
    start_ns: int
    end_ns: int
    tries: int = 1
    failed: bool = False
    errors: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What makes two acts the same step."""
        return _key(self.name)


@dataclass(frozen=True, slots=True)
class Trail:
    run_id: UUID
    started_at: datetime
    status: str
    agents: tuple[int, ...]
    acts: tuple[Act, ...]


def trail(story: Story, level: str = ACTS) -> tuple[Act, ...]:
    """The acts of a run in order of their start."""
    units = UNITS[level]
    mine = [each for each in story.placed if each.kind in units and each.step.end_ns]
    above = _above(story.placed, mine) if level == ACTS else set()
    acts: list[Act] = []
    for each in mine:
        if (each.step.trace_id, each.step.span_id) not in above:
            _add(acts, each)
    return tuple(acts)


def _above(placed: Sequence[Placed], mine: Iterable[Placed]) -> set[tuple[bytes, bytes]]:
    """All that have one of these somewhere below them."""
    parents = {(each.step.trace_id, each.step.span_id): each.parent for each in placed}
    found: set[tuple[bytes, bytes]] = set()
    for each in mine:
        at = each.step.trace_id, each.parent
        while at[1] and at in parents and at not in found:
            found.add(at)
            at = at[0], parents[at]
    return found


def _add(acts: list[Act], each: Placed) -> None:
    made = _act(each)
    place = next((i for i in range(len(acts) - 1, -1, -1) if acts[i].key == made.key), -1)
    again = place >= 0 and (each.attempt > 1 or (acts[place].failed and acts[place].owner == made.owner))
    if not again:
        acts.append(made)
        return
    first = acts[place]
    end, errors = max(first.end_ns, made.end_ns), first.errors + made.errors
    acts[place] = replace(first, end_ns=end, tries=first.tries + 1, failed=made.failed, errors=errors)


def _act(each: Placed) -> Act:
    step, human = each.step, each.kind is HUMAN
    owner = PEOPLE if human else each.agent or step.system or step.application
    name = step.subject or (each.agent if each.kind is AGENT else "") or _ID.sub("*", step.name)
    said = _CLASS.match(step.error) if step.error else None
    errors = (said[0],) if said else ("error",) if each.failed else ()
    return Act(name, owner, human, step.start_ns, step.end_ns, 1, each.failed or bool(step.error), errors)


def stories(workspace_id: int, rows: Iterable[Run]) -> Iterator[tuple[Run, Story]]:
    """Those of stored runs, in their order, as many as one reading may cost; longer runs than `MOST_SPANS` are passed
    over."""
    rows = [row for row in rows if 0 < row.spans <= MOST_SPANS]
    bounds = _bounds(workspace_id, rows)
    read = 0
    for row in rows:
        read += row.spans
        if read > MOST_READ:
            return
        yield row, fold(steps_of(workspace_id, bounds.get(row.id, [])))


def versions(workspace_id: int, rows: Sequence[Run]) -> dict[UUID, set[tuple[str, str]]]:
    """By run, its agents (by name) with the versions that their spans tell; those that tell none are left out."""
    of = {trace: run_id for run_id, found in _bounds(workspace_id, rows).items() for trace, _, _ in found}
    found: dict[UUID, set[tuple[str, str]]] = {}
    if not of:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct s.trace_id, a.name, s.attrs->'a'->>'gen_ai.agent.version' from telemetry_span s "
            "join registry_agent a on a.id = s.agent_id and a.workspace_id = s.workspace_id "
            "where s.workspace_id = %s and s.trace_id = any(%s) and s.started_at between %s and %s and s.kind = %s "
            "and s.attrs->'a'->>'gen_ai.agent.version' is not null",
            [
                workspace_id,
                list(of),
                min(row.started_at for row in rows),
                max(max(row.ended_at, row.started_at) for row in rows),
                int(AGENT),
            ],
        )
        for trace_id, name, version in cursor:
            found.setdefault(of[bytes(trace_id)], set()).add((name, str(version)[:60]))
    return found


def _bounds(workspace_id: int, rows: Sequence[Run]) -> dict[UUID, list[Bounds]]:
    found: dict[UUID, list[Bounds]] = {}
    mine = Trace.objects.filter(workspace_id=workspace_id, run_id__in=[row.id for row in rows])
    for run_id, trace_id, began, ended in mine.values_list("run_id", "trace_id", "started_at", "ended_at"):
        if run_id:
            found.setdefault(run_id, []).append((bytes(trace_id), _micros(began), _micros(ended)))
    return found


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
