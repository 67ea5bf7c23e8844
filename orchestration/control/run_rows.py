"""Writes what settling found: runs, their handoffs, what they are booked with; many runs in few statements."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import orjson
from django.db import connection

from orchestration.control import run_agents
from orchestration.handoffs import observed
from orchestration.handoffs.observed import Seen
from orchestration.lib.names import normal
from orchestration.registry import resolve
from orchestration.registry.models import SystemKind
from orchestration.telemetry.adding import FULL
from orchestration.telemetry.reading import raw_cursor
from orchestration.telemetry.writer import EPOCH_US, copy_into
from orchestration.workflows import names as books
from orchestration.workflows import stitch
from orchestration.workflows.booking import NOBODY, Booking, Names
from orchestration.workflows.groups import Group
from orchestration.workflows.models import Run, RunStatus
from orchestration.workflows.story import CANCELLED, Step, Story

STALLED_S = 600
OLD_S = 900  # what is older than this at receipt and has no end will not get one
AGENTS_NAMED = 200  # agents of a run that its row names


class Told(Protocol):
    """A run as told in this round."""

    group: Group
    story: Story
    steps: list[Step]
    sent: frozenset[bytes]
    twins: int
    run_id: UUID | None
    losers: list[UUID]

    @property
    def stored(self) -> list[UUID]: ...


def is_run(story: Story, group: Group) -> bool:
    """A trace that was a run stays one."""
    return any(t.run_id for t in group.traces) or stitch.is_run(p.kind for p in story.placed)


def note_services(workspace_id: int, stories: Iterable[Story]) -> None:
    """Whoever sends only ordinary traffic is a system."""
    names = {placed.application for story in stories for placed in story.placed if placed.application}
    rows = {(SystemKind.SYSTEM, normal(name)): (name[:256], "", name) for name in names}
    resolve.systems.ids(workspace_id, dict(rows))


def names(workspace_id: int, told: Sequence[Told]) -> list[Names]:
    """Ids for all names in these stories, made where they are new; for each story its own."""
    stories = [one.story for one in told]
    called = [_workflow(one) for one in told]
    workflows = books.workflows.ids(workspace_id, {(name,): (name,) for name in called if name})
    mine = [workflows.get((name,), 0) for name in called]
    wanted = {(w, step.name, step.owner) for w, s in zip(mine, stories, strict=True) for step in s.steps if w}
    steps = books.steps.ids(workspace_id, dict.fromkeys(wanted, ()))
    by_workflow: dict[int, dict[tuple[str, str], int]] = {}
    for w, name, owner in wanted:
        if (w, name, owner) in steps:
            by_workflow.setdefault(w, {})[name, owner] = steps[w, name, owner]
    agents = run_agents.agents(workspace_id, stories)
    systems = _systems(workspace_id, stories)
    return [Names(w, known, by_workflow.get(w, {}), systems) for w, known in zip(mine, agents, strict=True)]


def _workflow(one: Told) -> str:
    """What the run's process is called; "" while it goes on and its root, which would say so, has not come."""
    story = one.story
    if status(story, one.group) == RunStatus.RUNNING and not story.root_came and _nameless(story):
        return ""
    return story.workflow[:256] or "unnamed"


def _nameless(story: Story) -> bool:
    return all(placed.step.parent_id and not placed.step.workflow for placed in story.placed)


def _systems(workspace_id: int, stories: Sequence[Story]) -> dict[str, int]:
    names = {call.system for s in stories for call in s.tool_calls if call.system}
    names.update(system for s in stories for system in s.read_systems.values())
    keys = {name: (SystemKind.SYSTEM, normal(name)) for name in names}
    ids = resolve.systems.ids(workspace_id, {key: (name[:256], "", name) for name, key in keys.items()})
    return {name: ids.get(key, 0) for name, key in keys.items()}


def mark_cancelled(workspace_id: int, told: Sequence[Told]) -> None:
    """Whoever cancelled a run had the last word, however its agents end it: it neither failed nor succeeded, asks
    nobody any more and starts nothing. One that goes on all the same has no end yet that could be told otherwise."""
    over = [one for one in told if one.stored and one.story.status != RunStatus.RUNNING]
    runs = [run_id for one in over for run_id in one.stored]
    asked = Run.objects.filter(workspace_id=workspace_id, id__in=runs).exclude(cancelled_at=None)
    cancelled = set(asked.values_list("id", flat=True)) if runs else set()
    for one in over:
        if one.run_id in cancelled:
            one.story.status = CANCELLED


def bookings(workspace_id: int, runs: list[UUID]) -> list[Booking]:
    """What these runs are booked with so far."""
    with connection.cursor() as cursor:
        if not runs:
            return []
        cursor.execute(
            "select body from workflows_runbooking where workspace_id = %s and run_id = any(%s)",
            [workspace_id, runs],
        )
        return [Booking.unpacked(bytes(row[0])) for row in cursor]


def write(workspace_id: int, told: Sequence[Told], names: Sequence[Names], booked: Mapping[UUID, Booking]) -> None:
    rows = [_row(one, known) for one, known in zip(told, names, strict=True)]
    rows.sort(key=lambda row: str(row["id"]))
    losers = [(loser, one.run_id) for one in told for loser in one.losers]
    with raw_cursor() as cursor:
        cursor.execute(_UPSERT, [workspace_id, orjson.dumps(rows).decode()])
        if losers:
            _give_up(cursor, workspace_id, losers)
        _book(cursor, workspace_id, told, booked)
        _handoffs(cursor, workspace_id, told, names)


def _give_up(cursor: Any, workspace_id: int, losers: Sequence[tuple[UUID, UUID | None]]) -> None:
    """An id that was given out leads to the run that took its traces."""
    values = [workspace_id, [loser for loser, _ in losers], [winner for _, winner in losers]]
    cursor.execute(
        "update workflows_run r set merged_into = x.winner, status = 'cancelled' "
        "from (select %s::bigint as w) k, unnest(%s::uuid[], %s::uuid[]) as x(loser, winner) "
        "where r.workspace_id = k.w and r.id = x.loser",
        values,
    )
    gone = [loser for loser, _ in losers]
    cursor.execute(
        "delete from workflows_runbooking where workspace_id = %s and run_id = any(%s)", [workspace_id, gone]
    )


def _row(one: Told, ids: Names) -> dict[str, Any]:
    story = one.story
    tools = story.tool_calls
    agents = [ids.agents[who][1] for who in story.agents if who in ids.agents]
    if one.sent:  # who started a run by the events API
        agents += [step.ids[1] for step in one.steps if step.span_id in one.sent]
    return {
        "id": str(one.run_id),
        "workflow_id": ids.workflow,
        "title": story.title[:500],
        "status": status(story, one.group),
        "root_said_ok": story.root_said_ok,
        "conversation": story.conversation[:256] or None,
        "external_key": one.group.external_key,
        "started_at": _time(story.started_ns // 1000),
        "ended_at": _time(story.ended_ns // 1000),
        "heard_at": _time(one.group.received),
        "duration_ms": max(0, story.ended_ns - story.started_ns) // 1_000_000,
        "active_ms": story.active_ns // 1_000_000,
        "spans": len(story.placed),
        "errors": story.errors,
        "retries": story.retries,
        "tokens_in": story.tokens_in,
        "tokens_out": story.tokens_out,
        "cost": None if story.cost is None else min(story.cost, FULL),
        "tool_calls": len(tools),
        "tool_failures": sum(not call.ok for call in tools),
        "handoffs": len(story.handoffs),
        "escalations": len(story.escalations),
        "guardrail_hits": len(story.guardrail_hits),
        "orphans": story.orphans,
        "twins": one.twins,
        "agents": [a for a in dict.fromkeys(agents) if a][:AGENTS_NAMED],
    }


def status(story: Story, group: Group) -> str:
    """The story's, but a run without an end of which nothing was heard for ten minutes has stalled; at once when its
    steps lie long before their receipt (history, an import)."""
    if story.status != RunStatus.RUNNING:
        return story.status
    old = story.ended_ns // 1000 < group.received - OLD_S * 1_000_000
    silent = group.received < (time.time() - STALLED_S) * 1_000_000
    return RunStatus.STALLED if old or silent else RunStatus.RUNNING


def _time(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


def _book(cursor: Any, workspace_id: int, told: Iterable[Told], booked: Mapping[UUID, Booking]) -> None:
    known = {run_id for one in told for run_id in one.stored}
    again = sorted(booked.keys() & known)
    if again:
        cursor.execute(
            "insert into workflows_runbooking (workspace_id, run_id, body) "
            "select %s, i, b from unnest(%s::uuid[], %s::bytea[]) as x(i, b) "
            "on conflict (workspace_id, run_id) do update set body = excluded.body",
            [workspace_id, again, [booked[i].packed() for i in again]],
        )
    new = sorted(booked.keys() - known)
    copy_into(cursor, "workflows_runbooking", _BOOKING, [(workspace_id, i.bytes, booked[i].packed()) for i in new])


def _handoffs(cursor: Any, workspace_id: int, told: Sequence[Told], names: Sequence[Names]) -> None:
    before = [run_id for one in told for run_id in (*one.stored, *one.losers)]
    gone = observed.forget(cursor, workspace_id, before) if before else Counter[Seen]()
    rows, new = [], Counter[Seen]()
    for one, known in zip(told, names, strict=True):
        agents, run_id = known.agents, one.run_id.bytes if one.run_id else b""
        for place, handoff in enumerate(one.story.handoffs):
            giver = agents.get((handoff.application, handoff.from_agent), NOBODY)[1]
            taker = agents.get((handoff.to_application, handoff.to_agent), NOBODY)[1]
            at = handoff.at_ns // 1000
            rows.append((workspace_id, run_id, place, at - EPOCH_US, giver, taker, handoff.rule))
            new[at // observed.HOUR_US, giver, taker] += 1
    copy_into(cursor, "handoffs_handoff", _HANDOFF, rows)
    observed.count(cursor, workspace_id, new, gone)


# as COPY takes them: a uuid is 16 bytes, a timestamptz an int8 (see `telemetry.writer`)
_BOOKING = (("workspace_id", "int8"), ("run_id", "bytea"), ("body", "bytea"))
_HANDOFF = (
    ("workspace_id", "int8"),
    ("run_id", "bytea"),
    ("place", "int4"),
    ("at", "int8"),
    ("from_agent_id", "int4"),
    ("to_agent_id", "int4"),
    ("rule", "text"),
)
_SHAPE = (
    "id uuid, workflow_id int, title text, status text, root_said_ok bool, conversation text, external_key text, "
    "started_at timestamptz, ended_at timestamptz, heard_at timestamptz, duration_ms bigint, active_ms bigint, "
    "spans int, errors int, retries int, tokens_in bigint, tokens_out bigint, cost bigint, tool_calls int, "
    "tool_failures int, handoffs int, escalations int, guardrail_hits int, orphans int, twins int, agents int[]"
)
_COLUMNS = [part.split()[0] for part in _SHAPE.split(", ")]
_UPSERT = f"""
insert into workflows_run as r (workspace_id, {", ".join(_COLUMNS)}, revision, late)
select %s, {", ".join(_COLUMNS)}, 1, false from json_to_recordset(%s) as x({_SHAPE}) order by id
on conflict (workspace_id, id) do update set
    {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS if c not in ("id", "external_key", "status"))},
    status = case when r.cancelled_at is null then excluded.status else 'cancelled' end,
    external_key = coalesce(excluded.external_key, r.external_key),
    revision = r.revision + 1,
    late = r.late or (r.status in ('completed', 'failed') and excluded.spans > r.spans
        and excluded.status <> 'running'),
    merged_into = null
"""
