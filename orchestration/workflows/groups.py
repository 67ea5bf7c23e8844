"""Which traces are one run: by shared keys, by the run they already have, by a conversation that went on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from uuid_utils.compat import uuid7

from orchestration.telemetry.reading import raw_cursor
from orchestration.workflows import stitch, traces
from orchestration.workflows.due import COLUMNS, Due
from orchestration.workflows.story import Story

MOST_LOOKED_AT = 64  # holders of a key that too many hold to join anything
SKEW_US = stitch.SETTLE_NS // 1000
MOST_RUNS = 200  # of one conversation looked at

Key = tuple[str, str]  # kind, key


@dataclass(slots=True, eq=False)
class Group:
    """Traces of one run, and the keys that tie them."""

    traces: list[Due]
    keys: set[Key] = field(default_factory=set)

    @property
    def received(self) -> int:
        return max(trace.received for trace in self.traces)

    @property
    def spans(self) -> int:
        return sum(trace.spans for trace in self.traces)

    @property
    def external_key(self) -> str | None:
        """What the caller calls this run, if it gave it a name."""
        names = sorted(key for kind, key in self.keys if kind == "baton")
        return names[0] if names else None

    @property
    def known_as(self) -> set[UUID]:
        """Ids of runs that its traces belong to, or were told to belong to."""
        return {t.run_id for t in self.traces if t.run_id} | {UUID(key) for kind, key in self.keys if kind == "run"}


def identify(found: Sequence[Group], taken: set[UUID]) -> list[tuple[UUID, list[UUID]]]:
    """For each group its run's id, the oldest it is known as, else a new one; and the ids that lead to it from now on.

    Where a run has come apart, its id stays with the part that began first. `taken` are not to be given.
    """
    given: dict[int, UUID] = {}
    for place in sorted(range(len(found)), key=lambda i: min(t.started for t in found[i].traces)):
        free = found[place].known_as - taken
        given[place] = min(free) if free else uuid7()
        taken = taken | {given[place]}
    answers = []
    for place, group in enumerate(found):
        lost = {t.run_id for t in group.traces if t.run_id} - taken
        taken = taken | lost
        answers.append((given[place], sorted(lost)))
    return answers


def gather(workspace_id: int, traces: Sequence[Due]) -> list[Group]:
    """The runs that these traces are of, as `stitch` says: with all other traces that share a key with them, however
    far that leads, and with those they were told with before, should they have come apart."""
    known: dict[bytes, Due] = {}
    keys: dict[bytes, set[Key]] = {}
    new = {trace.trace_id: trace for trace in traces}
    while new and len(known) < stitch.MOST_TIED + len(traces):
        known.update(new)
        for trace_id, key in _keys(workspace_id, list(new)):
            keys.setdefault(trace_id, set()).add(key)
        asked = {key for trace_id in new for key in keys.get(trace_id, ())} | {("link", i.hex()) for i in new}
        runs = {t.run_id for t in new.values() if t.run_id} | {UUID(key) for kind, key in asked if kind == "run"}
        others = _holders(workspace_id, asked) | _of_runs(workspace_id, runs)
        new = {trace.trace_id: trace for trace in _traces(workspace_id, others - set(known))}
    facts = [
        stitch.TraceFacts(i, t.started * 1000, t.conversation or "", frozenset(keys.get(i, ())))
        for i, t in known.items()
    ]
    return [
        Group([known[f.trace_id] for f in group.traces], {key for f in group.traces for key in f.joins})
        for group in stitch.group(facts)
    ]


def _holders(workspace_id: int, asked: set[Key]) -> set[bytes]:
    """Traces that hold one of the keys. Of a key that too many hold, those that it joined before it had so many."""
    held: dict[Key, set[bytes]] = {}
    for trace_id, key in _with_keys(workspace_id, asked):
        held.setdefault(key, set()).add(trace_id)
    found: set[bytes] = set()
    for key, holders in held.items():
        named = {bytes.fromhex(key[1])} if key[0] == "link" else set()
        if len(holders | named) <= stitch.MOST_HOLDERS.get(key[0], stitch.MOST_TIED):
            found |= holders | named
        else:
            found |= _joined_before(workspace_id, holders)
    return found


def _joined_before(workspace_id: int, holders: set[bytes]) -> set[bytes]:
    some = _traces(workspace_id, set(sorted(holders)[:MOST_LOOKED_AT]))
    runs = Counter(trace.run_id for trace in some if trace.run_id)
    return {trace.trace_id for trace in some if trace.run_id and runs[trace.run_id] > 1}


def _keys(workspace_id: int, trace_ids: list[bytes]) -> list[tuple[bytes, Key]]:
    with raw_cursor() as cursor:
        cursor.execute(
            "select trace_id, kind, key from workflows_tracekey where workspace_id = %s and trace_id = any(%s)",
            [workspace_id, trace_ids],
        )
        return [(row[0], (row[1], row[2])) for row in cursor]


def _with_keys(workspace_id: int, keys: Iterable[Key]) -> list[tuple[bytes, Key]]:
    wanted = sorted(keys)
    with raw_cursor() as cursor:
        cursor.execute(
            "select k.trace_id, k.kind, k.key from unnest(%s::text[], %s::text[]) as w(kind, key) "
            "cross join lateral (select * from workflows_tracekey t where t.workspace_id = %s and t.kind = w.kind "
            "and t.key = w.key limit %s) k",
            [[kind for kind, _ in wanted], [key for _, key in wanted], workspace_id, stitch.MOST_TIED + 1],
        )
        return [(row[0], (row[1], row[2])) for row in cursor]


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
    if not trace_ids:
        return []
    with raw_cursor() as cursor:
        cursor.execute(
            f"select {COLUMNS} from workflows_trace where workspace_id = %s and trace_id = any(%s)",
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
            if earlier.waiting and later.started >= earlier.ended - SKEW_US and (earlier.group or later.group):
                joined.append(_join(workspace_id, earlier, later))
                break
    return joined


def _join(workspace_id: int, earlier: _Part, later: _Part) -> tuple[Group, list[Group]]:
    """One group of both. That they belong together is kept as a key of all their traces."""
    whole, parts = Group([]), []
    for part in (earlier, later):
        if part.group:
            parts.append(part.group)
            whole.traces.extend(part.group.traces)
            whole.keys |= part.group.keys
        elif part.run_id:
            whole.traces.extend(traces_of_run(workspace_id, part.run_id))
    first = min(whole.traces, key=lambda trace: (trace.started, trace.trace_id))
    key = ("conversation", first.trace_id.hex())
    whole.keys.add(key)
    traces.tie(workspace_id, [(*key, trace.trace_id) for trace in whole.traces])
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
