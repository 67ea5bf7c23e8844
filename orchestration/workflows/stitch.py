"""Which traces are one run. Pure: facts about traces in, groups out.

By default a run is a trace. Traces are joined:
- exactly, by a key they share: `baton.run.id`, or Baton's own id of the run; an A2A task; a span link, that is the
  linked trace's id, which every trace holds as a key of its own;
- by inference: an id of the agent runtime that all its messages carry (`runtime`); the same conversation, when the
  earlier run had stopped to wait for a person (`continues`).

Which links count. A link says "because of", which is not yet "part of". So a link counts only on the first span of a
trace, and only when that span links to one other trace: a consumer of batches links to the traces of all its senders.
A trace that very many others link to (`MOST_HOLDERS`: a scheduler, a load test, a gateway that starts new traces)
started them, but is no run of which they are parts: such a key joins nothing. Nor does a link join two conversations.
A key of the runtime joins only traces that have no link, since a team of agents keeps its id from run to run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestration.telemetry.spans import Kind
from orchestration.workflows.story import Story

PLAIN = frozenset((Kind.OTHER, Kind.MESSAGING, Kind.REGISTRATION))
EXACT = frozenset({"run", "baton", "a2a", "link"})
NAMED = frozenset({"run", "baton", "a2a"})  # said of the run itself: these join whatever the conversations are
MOST_HOLDERS = {"link": 16}
MOST_TIED = 5_000  # traces of one run: what more hold, of whatever kind, is a key that everything carries
SETTLE_NS = 2_000_000  # clocks of two processes


@dataclass(slots=True)
class TraceFacts:
    trace_id: bytes
    started_ns: int
    conversation: str = ""
    joins: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Join:
    trace_id: bytes
    by: str  # run | baton | a2a | link | runtime | conversation
    exact: bool


@dataclass(slots=True)
class Group:
    """Traces of one run by start; `joins` tells of each trace but the first why it is here."""

    traces: list[TraceFacts]
    joins: list[Join] = field(default_factory=list)


def is_run(kinds: Iterable[Kind]) -> bool:
    """Registering agents is no run, messages between agents are none by themselves, nor is ordinary traffic."""
    return any(kind not in PLAIN for kind in kinds)


def keys_of(facts: TraceFacts) -> set[tuple[str, str]]:
    """The keys a trace holds, its own id among them, under which others link to it."""
    return {*facts.joins, ("link", facts.trace_id.hex())}


def group(traces: Iterable[TraceFacts]) -> list[Group]:
    """Traces joined by the keys they share, in order of start."""
    ordered = sorted(traces, key=lambda facts: (facts.started_ns, facts.trace_id))
    holders: dict[tuple[str, str], list[int]] = {}
    for i, facts in enumerate(ordered):
        for key in keys_of(facts):
            holders.setdefault(key, []).append(i)
    roots = list(range(len(ordered)))
    said = [facts.conversation for facts in ordered]
    by: dict[int, str] = {}
    for (kind, _), held in sorted(holders.items(), key=lambda item: (item[0][0] not in EXACT, item[1], item[0])):
        if 1 < len(held) <= MOST_HOLDERS.get(kind, MOST_TIED):
            for i in held[1:]:
                _join(roots, said, by, (held[0], i, kind))
    groups: dict[int, Group] = {}
    for i, facts in enumerate(ordered):
        found = groups.setdefault(_root(roots, i), Group([]))
        found.traces.append(facts)
        if len(found.traces) > 1:
            found.joins.append(Join(facts.trace_id, by.get(i, "link"), by.get(i, "link") in EXACT))
    return list(groups.values())


def continues(earlier: Story, later_conversation: str, later_started_ns: int) -> bool:
    """Whether a later trace is the answer that an earlier run of the same conversation waits for. A conversation whose
    earlier run has finished goes on with a new run."""
    return (
        earlier.status == "waiting"
        and earlier.conversation != ""
        and earlier.conversation == later_conversation
        and later_started_ns >= earlier.ended_ns - SETTLE_NS
    )


def _root(roots: list[int], i: int) -> int:
    while roots[i] != i:
        roots[i] = roots[roots[i]]
        i = roots[i]
    return i


def _join(roots: list[int], said: list[str], by: dict[int, str], edge: tuple[int, int, str]) -> None:
    one, other, kind = edge
    first, second = sorted((_root(roots, one), _root(roots, other)))
    if first == second:
        return
    if kind not in NAMED and said[first] and said[second] and said[first] != said[second]:
        return
    roots[second] = first
    said[first] = said[first] or said[second]
    by.setdefault(max(one, other), kind)
