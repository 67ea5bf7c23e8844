"""Which traces are one run: by shared keys, by the run they already have, by a conversation that went on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from django.db import connection
from uuid_utils.compat import uuid7

from orchestration.telemetry.reading import raw_cursor
from orchestration.workflows.reading import Bounds
from orchestration.workflows.story import Story

MOST_TIED = 5_000  # traces of one run: beyond it a key is taken for one that everything carries
MOST_RUNS = 200  # of one conversation looked at
_COLUMNS = "trace_id, run_id, started_at, ended_at, received_at, spans, root_came, settled_spans"


@dataclass(frozen=True, slots=True)
class Due:
    """A trace row as read; times are Unix microseconds."""

    trace_id: bytes
    run_id: UUID | None
    started: int
    ended: int
    received: int
    spans: int
    root_came: bool
    settled_spans: int

    @property
    def bounds(self) -> Bounds:
        return self.trace_id, self.started, self.ended


@dataclass(slots=True, eq=False)
class Group:
    """Traces of one run, and the keys that tie them."""

    traces: list[Due]
    keys: set[tuple[str, str]] = field(default_factory=set)

    @property
    def received(self) -> int:
        return max(trace.received for trace in self.traces)

    @property
    def external_key(self) -> str | None:
        """What the caller calls this run, if it gave it a name."""
        names = sorted(key for kind, key in self.keys if kind == "baton")
        return names[0] if names else None

    def identity(self) -> tuple[UUID, list[UUID]]:
        """The run's id, the oldest that any of its traces has or was told, else a new one; and the ids it replaces."""
        known = {trace.run_id for trace in self.traces if trace.run_id}
        told = {UUID(key) for kind, key in self.keys if kind == "run"}
        if not known | told:
            return uuid7(), []
        winner = min(known or told)
        return winner, sorted(known - {winner})


def workspaces_due() -> list[int]:
    """Workspaces in which a trace is due, in random order, so that none is always last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select w.id from workspaces_workspace w where exists (select 1 from workflows_trace t "
            "where t.workspace_id = w.id and t.due_at <= now()) order by random()"
        )
        return [row[0] for row in cursor]


def due(workspace_id: int, most_traces: int, most_spans: int) -> list[Due]:
    """Traces whose time has come, oldest first, as many as fit. Nothing is locked: see `mark`."""
    with raw_cursor() as cursor:
        cursor.execute(
            f"select {_COLUMNS} from workflows_trace where workspace_id = %s and due_at <= now() "
            "order by due_at limit %s",
            [workspace_id, most_traces],
        )
        found = [Due(*row) for row in cursor]
    total = 0
    for place, trace in enumerate(found):
        total += trace.spans
        if total > most_spans and place:
            return found[:place]
    return found


def gather(workspace_id: int, traces: Sequence[Due]) -> list[Group]:
    """Group the traces with all others that share a key or a run with them, however far that leads."""
    known = {trace.trace_id: trace for trace in traces}
    ties = _Ties()
    new: list[Due] = list(traces)
    while new:
        keys = _keys(workspace_id, [t.trace_id for t in new])
        for trace_id, key in keys:
            ties.tie(trace_id, key)
        for trace in new:
            if trace.run_id:
                ties.tie(trace.trace_id, ("run", str(trace.run_id)))
        shared = {key for _, key in keys}
        found = _with_keys(workspace_id, shared) if shared else []
        runs = {t.run_id for t in new if t.run_id} | {UUID(key) for kind, key in shared if kind == "run"}
        others = {i for i, _ in found} | _of_runs(workspace_id, runs)
        for trace_id, key in found:
            ties.tie(trace_id, key)
        new = _traces(workspace_id, others - set(known)) if others - set(known) else []
        if len(known) + len(new) > MOST_TIED + len(traces):
            new = []
        known.update({trace.trace_id: trace for trace in new})
    return ties.groups(known)


class _Ties:
    """Union of traces by shared keys."""

    def __init__(self) -> None:
        self.parent: dict[bytes, bytes] = {}
        self.holder: dict[tuple[str, str], bytes] = {}

    def root(self, trace_id: bytes) -> bytes:
        parent = self.parent.setdefault(trace_id, trace_id)
        while parent != self.parent[parent]:
            self.parent[trace_id] = self.parent[parent]
            trace_id, parent = parent, self.parent[parent]
        return parent

    def tie(self, trace_id: bytes, key: tuple[str, str]) -> None:
        holder = self.holder.setdefault(key, trace_id)
        self.parent[self.root(trace_id)] = self.root(holder)

    def groups(self, known: Mapping[bytes, Due]) -> list[Group]:
        found: dict[bytes, Group] = {}
        for trace_id in sorted(known):
            found.setdefault(self.root(trace_id), Group([])).traces.append(known[trace_id])
        for key, holder in self.holder.items():
            group = found.get(self.root(holder))
            if group is not None:
                group.keys.add(key)
        return list(found.values())


def _keys(workspace_id: int, trace_ids: list[bytes]) -> list[tuple[bytes, tuple[str, str]]]:
    with raw_cursor() as cursor:
        cursor.execute(
            "select trace_id, kind, key from workflows_tracekey where workspace_id = %s and trace_id = any(%s)",
            [workspace_id, trace_ids],
        )
        return [(row[0], (row[1], row[2])) for row in cursor]


def _with_keys(workspace_id: int, keys: Iterable[tuple[str, str]]) -> list[tuple[bytes, tuple[str, str]]]:
    """Traces that carry one of the keys. One that names a trace itself leads to that trace too."""
    wanted = sorted(keys)
    with raw_cursor() as cursor:
        cursor.execute(
            "select k.trace_id, k.kind, k.key from unnest(%s::text[], %s::text[]) as w(kind, key) "
            "cross join lateral (select * from workflows_tracekey t where t.workspace_id = %s and t.kind = w.kind "
            "and t.key = w.key limit %s) k",
            [[kind for kind, _ in wanted], [key for _, key in wanted], workspace_id, MOST_TIED],
        )
        found = [(row[0], (row[1], row[2])) for row in cursor]
    return found + [(bytes.fromhex(key), (kind, key)) for kind, key in wanted if kind in ("link", "trace")]


def _of_runs(workspace_id: int, runs: set[UUID]) -> set[bytes]:
    if not runs:
        return set()
    with raw_cursor() as cursor:
        cursor.execute(
            "select trace_id from workflows_trace where workspace_id = %s and run_id = any(%s)",
            [workspace_id, list(runs)],
        )
        return {row[0] for row in cursor}


def _traces(workspace_id: int, trace_ids: set[bytes]) -> list[Due]:
    with raw_cursor() as cursor:
        cursor.execute(
            f"select {_COLUMNS} from workflows_trace where workspace_id = %s and trace_id = any(%s)",
            [workspace_id, list(trace_ids)],
        )
        return [Due(*row) for row in cursor]


def traces_of_run(workspace_id: int, run_id: UUID) -> list[Due]:
    """The traces that a run is told by."""
    return _traces(workspace_id, _of_runs(workspace_id, {run_id}))


@dataclass(slots=True)
class _Part:
    """A run of a conversation: told in this round (`group`), or only stored (`run_id`)."""

    started: int
    ended: int
    waiting: bool
    group: Group | None
    run_id: UUID | None


def continued(workspace_id: int, told: Sequence[tuple[Group, Story]]) -> list[tuple[Group, list[Group]]]:
    """Pairs to join: a run that ended waiting for a person, and the next one of its conversation.

    Returns each joined group with those of `told` that it replaces. Only the nearest pair of a conversation is joined
    at a time: what the longer run then says decides about the next.
    """
    conversations: dict[str, list[_Part]] = {}
    for group, story in told:
        if story.conversation:
            part = _Part(story.started_ns // 1000, story.ended_ns // 1000, story.status == "waiting", group, None)
            conversations.setdefault(story.conversation, []).append(part)
    mine = {trace.run_id for group, _ in told for trace in group.traces if trace.run_id}
    for conversation, part in _stored(workspace_id, conversations, mine):
        conversations[conversation].append(part)
    joined = []
    for parts in conversations.values():
        parts.sort(key=lambda part: part.started)
        for earlier, later in pairwise(parts):
            if earlier.waiting and later.started >= earlier.ended and (earlier.group or later.group):
                joined.append(_join(workspace_id, earlier, later))
                break
    return joined


def _join(workspace_id: int, earlier: _Part, later: _Part) -> tuple[Group, list[Group]]:
    whole, parts = Group([]), []
    for part in (earlier, later):
        if part.group:
            parts.append(part.group)
            whole.traces.extend(part.group.traces)
            whole.keys |= part.group.keys
        elif part.run_id:
            whole.traces.extend(traces_of_run(workspace_id, part.run_id))
    return whole, parts


def _stored(workspace_id: int, conversations: Mapping[str, list[_Part]], mine: set[UUID]) -> list[tuple[str, _Part]]:
    """Stored runs of those conversations in which one waits, the newest of each."""
    if not conversations:
        return []
    waiting = [name for name, parts in conversations.items() if any(part.waiting for part in parts)]
    with raw_cursor() as cursor:
        cursor.execute(
            "select distinct conversation from workflows_run where workspace_id = %s and conversation = any(%s) "
            "and status = 'waiting' and merged_into is null",
            [workspace_id, list(conversations)],
        )
        waiting.extend(row[0] for row in cursor)
        if not waiting:
            return []
        cursor.execute(
            "select r.conversation, r.started_at, r.ended_at, r.status = 'waiting', r.id from unnest(%s::text[]) c "
            "cross join lateral (select * from workflows_run r where r.workspace_id = %s and r.conversation = c "
            "and r.merged_into is null order by r.started_at desc limit %s) r",
            [sorted(set(waiting)), workspace_id, MOST_RUNS],
        )
        return [(row[0], _Part(row[1], row[2], row[3], None, row[4])) for row in cursor if row[4] not in mine]


def mark(workspace_id: int, counts: Mapping[bytes, tuple[UUID | None, int]], read: Sequence[Due]) -> None:
    """Note each trace's run and what was read of it. One that grew since `read` stays due, so no row had to be locked
    while its spans were read; one that was read along for another's sake keeps its own time."""
    before = {trace.trace_id: trace.spans for trace in read}
    ids = sorted(counts)
    with connection.cursor() as cursor:
        cursor.execute(
            "update workflows_trace t set run_id = coalesce(x.run, t.run_id), settled_spans = x.n, settled_at = now(), "
            "due_at = case when t.spans = x.before then null else t.due_at end "
            "from unnest(%s::bytea[], %s::uuid[], %s::int[], %s::int[]) as x(id, run, n, before) "
            "where t.workspace_id = %s and t.trace_id = x.id",
            [
                ids,
                [counts[i][0] for i in ids],
                [counts[i][1] for i in ids],
                [before.get(i, -1) for i in ids],
                workspace_id,
            ],
        )
