"""From traces to runs: what only the whole tree can tell is told again for each trace that is due.

1. due       traces whose time has come, oldest first; a workspace has two halves (by trace id) and each one settler
             (advisory lock), so no row is locked. What may concern the other half needs both locks: see `_alone`
2. gather    the traces that belong to the same run, by shared keys and by the run they already have; long runs wait
3. tell      the fold over all their steps; a run that ended waiting takes up the next trace of its conversation
4. write     runs, handoffs, what is booked; figures get the difference to what was booked before
5. mark      traces as settled, unless spans came meanwhile: then they stay due

Everything is computed anew from stored rows, so settling twice, late or in any order ends at the same state. A trace
that cannot be told, for whatever reason, is put off, so that it never keeps the others waiting.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction

from orchestration.autonomy import breaker
from orchestration.control import firing, pauses, run_rows
from orchestration.control.trouble import trouble
from orchestration.lib.collector import paused
from orchestration.lib.pulse import publish
from orchestration.registry import prices
from orchestration.telemetry import recent, rollups
from orchestration.telemetry.reading import spans_of
from orchestration.workflows import due, groups
from orchestration.workflows.booking import Booking, Change, contributions
from orchestration.workflows.due import BOTH, Due
from orchestration.workflows.fold import fold
from orchestration.workflows.groups import Group
from orchestration.workflows.reading import Bounds, distinct, sent_steps, to_steps
from orchestration.workflows.story import Rules, Step, Story

log = structlog.get_logger(__name__)
MOST_SPANS = 30_000  # read in one transaction; a longer run is read all the same
MOST_TRACES = 600
MOST_TOLD = 250_000  # read in one transaction for one long run, or for several
# A long run is told again after as many seconds as it has so many. So each telling of one that grows steadily finds a
# third more than the one before, and all of them together read it some five times.
SPANS_A_SECOND = 3_000
LONG_S = 600.0  # until a long run is tried again whose telling killed the worker
FAULTY_S = 3600.0  # … a trace that cannot be told
SETTLE_LOCK = (0x6261_7365, 0x6261_7366)  # one for each half
WHOLE_LOCK = 0x6261_7367  # shared by who tells a trace that came whole (`whole`), alone by who settles both halves
WHOLE_ROUNDS = 8  # settled with both locks after a round in which most had to be left for that

_known_rules: dict[int, Rules] = {}
_whole: dict[int, int] = {}  # by workspace: rounds yet to come with both locks


@dataclass(slots=True, eq=False)
class Told:
    """A run as told in this round: its traces, steps and story, and the runs it swallowed."""

    group: Group
    story: Story
    steps: list[Step]
    sent: frozenset[bytes]
    twins: int
    sizes: dict[bytes, int]  # rows read, by trace
    run_id: UUID | None = None
    losers: list[UUID] = field(default_factory=list)

    @property
    def stored(self) -> list[UUID]:
        """Ids of runs whose place it takes: its own, unless that is new, and those it swallowed."""
        own = [self.run_id] if self.run_id and self.run_id in self.group.known_as else []
        return own + self.losers

    @property
    def forgotten(self) -> bool:
        """Some of its spans are gone by retention: what was told when they were there stands."""
        return any(self.sizes.get(trace.trace_id, 0) < trace.settled_spans for trace in self.group.traces)


def settle_due(seconds: float = 3.0, overdue_s: float = 0.0) -> int:
    """Settle what is due in all workspaces, for at most `seconds`; returns how many traces. With `overdue_s` only where
    something has been due for so long."""
    until = time.monotonic() + seconds
    total = 0
    with paused():
        for workspace_id in due.workspaces_due(overdue_s):
            while time.monotonic() < until and (done := settle(workspace_id)):
                total += done
                gc.collect(0)
    return total


def settle(workspace_id: int) -> int:
    """Settle what is due in a workspace, as much as fits one transaction; returns how many traces."""
    try:
        return _settle(workspace_id)
    except Exception as error:
        if trouble(error) is not None:
            raise
        log.exception("settle_failed", workspace=workspace_id)
    return _one_by_one(workspace_id)


def _one_by_one(workspace_id: int) -> int:
    """The same, each trace alone: those that fail are put off."""
    traces = due.due(workspace_id, MOST_TRACES, MOST_SPANS)
    for trace in traces:
        try:
            _settle(workspace_id, trace)
        except Exception as error:
            if trouble(error) is not None:
                raise
            log.exception("settle_failed", workspace=workspace_id, trace=trace.trace_id.hex())
            due.put_off(workspace_id, [trace], FAULTY_S)
    return len(traces)


def _settle(workspace_id: int, only: Due | None = None) -> int:
    with transaction.atomic():
        half, wanted = _claim(workspace_id, only)
        if not wanted:
            return 0
        gathered = groups.gather(workspace_id, wanted)
        if half != BOTH:
            gathered, wanted = _alone(workspace_id, gathered, wanted)
        found = _within_reach(workspace_id, gathered, wanted)
        heard = [one for one in _tell(workspace_id, found) if one.steps]
        forgotten = {i for one in heard if one.forgotten for i in one.group.known_as}
        told = _continue(workspace_id, [one for one in heard if not one.forgotten])
        change = _write(workspace_id, told, forgotten)
        as_before = {t.trace_id: (t.run_id, t.settled_spans) for group in found for t in group.traces}
        due.mark(workspace_id, as_before | _read_counts(told), wanted)
        rollups.book(workspace_id, change.spans)
        rollups.book(workspace_id, change.workflows)
        transaction.on_commit(lambda: publish(workspace_id, "run", {"runs": len(told)}))
    return max(1, len(wanted))


def _claim(workspace_id: int, only: Due | None) -> tuple[int, list[Due]]:
    """The half that this process may settle now, or both, and what is due of it. Where others are at both halves, or
    nothing is due, it is nothing. All locks are waited for in their order and before anything else, so that nobody who
    holds one ever waits for another."""
    with connection.cursor() as cursor:
        if only or _whole.get(workspace_id, 0) > 0:
            for lock in (*SETTLE_LOCK, WHOLE_LOCK):
                cursor.execute("select pg_advisory_xact_lock(%s, %s)", [lock, workspace_id])
            _whole[workspace_id] = _whole.get(workspace_id, 1) - 1
            return BOTH, [only] if only else due.due(workspace_id, MOST_TRACES, MOST_SPANS)
        first = os.getpid() & 1
        for half in (first, 1 - first):
            cursor.execute("select pg_try_advisory_xact_lock(%s, %s)", [SETTLE_LOCK[half], workspace_id])
            if cursor.fetchone()[0] and (wanted := due.due(workspace_id, MOST_TRACES, MOST_SPANS, half)):
                return half, wanted
    return BOTH, []


def _alone(workspace_id: int, gathered: list[Group], wanted: Sequence[Due]) -> tuple[list[Group], list[Due]]:
    """What can be settled with one lock: runs of one trace that nothing ties to another and that belong to no
    conversation. The rest stays due and is settled with both locks in the next round."""
    mine = [group for group in gathered if len(group.traces) == 1 and not group.keys and not _talks(group)]
    ids = {trace.trace_id for group in mine for trace in group.traces}
    here = [trace for trace in wanted if trace.trace_id in ids]
    if len(here) < len(wanted):
        _whole[workspace_id] = WHOLE_ROUNDS if len(here) < len(wanted) / 2 else 1
    return mine, here


def _talks(group: Group) -> bool:
    return any(trace.conversation for trace in group.traces)


def _within_reach(workspace_id: int, found: list[Group], wanted: Sequence[Due]) -> list[Group]:
    """Those that are told in this round. What is left out stays due; a long run that was told just now is put off, and
    so is one that is told now, in case that kills the worker."""
    asked = {trace.trace_id for trace in wanted}
    chosen: list[Group] = []
    room = MOST_TOLD
    for group in found:
        mine = [trace for trace in group.traces if trace.trace_id in asked]
        rest = _rest_s(group)
        if rest > 0:
            due.put_off(workspace_id, mine, rest)
        elif not chosen or group.spans <= room:
            if group.spans > MOST_SPANS:
                due.put_off(workspace_id, mine, LONG_S)
            chosen.append(group)
            room -= group.spans
    return chosen


def _rest_s(group: Group) -> float:
    """Seconds until a run is to be told again: none for a short one."""
    told = [trace.settled for trace in group.traces if trace.settled]
    if not told or group.spans < SPANS_A_SECOND:
        return 0.0
    return max(told) / 1e6 + group.spans / SPANS_A_SECOND - time.time()


def _tell(workspace_id: int, found: list[Group]) -> list[Told]:
    """Read and fold each group. One read serves all, since most are small. Nothing stored (a heartbeat alone, or days
    that were dropped): nothing told."""
    rows: list[tuple[Any, ...]] = []
    unknown: list[Bounds] = []
    for trace in (trace for group in found for trace in group.traces):
        known = recent.take(workspace_id, trace.trace_id, trace.spans)
        if known is not None:
            rows.extend(known)
        else:
            unknown.append(trace.bounds)
    rows.extend(spans_of(workspace_id, unknown) if unknown else ())
    said = sent_steps(workspace_id, [trace.trace_id for group in found for trace in group.traces])
    by_trace: dict[bytes, list[Step]] = {}
    for step in to_steps(workspace_id, rows + said):
        by_trace.setdefault(step.trace_id, []).append(step)
    sent = frozenset(row[1] for row in said)
    return [tell_one(workspace_id, group, by_trace, sent) for group in found]


def tell_one(
    workspace_id: int, group: Group, by_trace: Mapping[bytes, list[Step]], sent: frozenset[bytes] = frozenset()
) -> Told:
    """The story of a group, from the steps of its traces."""
    steps, twins = distinct([step for trace in group.traces for step in by_trace.get(trace.trace_id, [])])
    sizes = {trace.trace_id: len(by_trace.get(trace.trace_id, [])) for trace in group.traces}
    return Told(group, fold(steps, _rules(workspace_id)), steps, sent, twins, sizes)


def _rules(workspace_id: int) -> Rules:
    """The lists an admin may edit, of which so far the table from tools to systems can be."""
    systems, known = prices.tool_systems(workspace_id), _known_rules.get(workspace_id)
    if known is None or known.systems is not systems:
        known = _known_rules[workspace_id] = Rules(systems=systems)
    return known


def _continue(workspace_id: int, told: list[Told]) -> list[Told]:
    """Join what continues a waiting run of the same conversation, until nothing joins any more."""
    while True:
        joined = groups.continued(workspace_id, [(t.group, t.story) for t in told])
        if not joined:
            return told
        gone = {id(group) for _, parts in joined for group in parts}
        kept = [t for t in told if id(t.group) not in gone]
        told = kept + _tell(workspace_id, [whole for whole, _ in joined])


def _write(workspace_id: int, told: list[Told], taken: set[UUID]) -> Change:
    """Store the runs and what each is booked with; returns the change to all figures. `taken` ids are not ours."""
    runs = [t for t in told if run_rows.is_run(t.story, t.group)]
    run_rows.note_services(workspace_id, [t.story for t in told if t not in runs])
    for one, (run_id, losers) in zip(runs, groups.identify([t.group for t in runs], taken), strict=True):
        one.run_id, one.losers = run_id, losers
    change = Change()
    write_runs(workspace_id, runs, change)
    return change


def write_runs(workspace_id: int, runs: list[Told], change: Change) -> None:
    """Store runs, their handoffs and what they are booked with, and add to `change` what that changes of figures. Who
    waits for a person becomes a question to one; who runs away is paused, or that is proposed; what an end starts is
    noted."""
    run_rows.mark_cancelled(workspace_id, runs)
    names = run_rows.names(workspace_id, runs)
    for old in run_rows.bookings(workspace_id, [i for t in runs for i in t.stored]):
        change.absorb(old, -1)
    after: dict[UUID, Booking] = {}
    for one, known in zip(runs, names, strict=True):
        if one.run_id:
            booking = after[one.run_id] = contributions(one.story, one.steps, one.sent, known)
            change.absorb(booking)
    run_rows.write(workspace_id, runs, names, after)
    pauses.note(workspace_id, runs, names)
    breaker.note(workspace_id, runs, names)
    firing.note(workspace_id, runs)


def _read_counts(told: list[Told]) -> dict[bytes, tuple[UUID | None, int]]:
    """Run and number of rows read, for every trace that was read."""
    counts: dict[bytes, tuple[UUID | None, int]] = {}
    for one in told:
        for trace in one.group.traces:
            counts[trace.trace_id] = (one.run_id, one.sizes.get(trace.trace_id, 0))
    return counts


def sweep_stalled(workspace_id: int) -> int:
    """Have runs told again of which nothing was heard for ten minutes and whose root never came: they have stalled."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "select t.trace_id from workflows_trace t join workflows_run r on r.workspace_id = t.workspace_id "
            "and r.id = t.run_id where r.workspace_id = %s and r.status = 'running' "
            "and r.heard_at < now() - make_interval(secs => %s) and t.due_at is null",
            [workspace_id, run_rows.STALLED_S],
        )
        stalled = [bytes(row[0]) for row in cursor]
        due.lock(cursor, workspace_id, stalled)
        cursor.execute(
            "update workflows_trace set due_at = now() where workspace_id = %s and trace_id = any(%s) "
            "and due_at is null",
            [workspace_id, stalled],
        )
        return int(cursor.rowcount)
