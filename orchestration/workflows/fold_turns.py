"""Turns in time: spans of agents, and stretches of work by agents whose own span was never sent.

Two such stretches exist: spans that name an agent without lying in a span of it; and steps below an agent span that
was lost, whose agent the caller named when it asked its model (smolagents never exports an agent that failed).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestration.telemetry.spans import AGENT, HANDOFF, TOOL, WORKFLOW
from orchestration.workflows.fold_agents import Cast, Who
from orchestration.workflows.fold_tree import Tree

SLACK_NS = 2_000_000  # some producers round starts to whole milliseconds
MOST_CALLS = 10_000


@dataclass(slots=True)
class Turn:
    who: Who
    start: int
    end: int
    step: int  # place of its first step
    inside: int  # place of the agent span it lies in, -1 for none
    holder: int  # place of the nearest agent, tool, workflow or handoff above it, -1 for none
    real: bool = True


@dataclass(slots=True)
class Request:
    """A model asked for a tool that is an agent, and no span of that agent came."""

    by: Who
    to: Who
    at: int
    step: int
    until: int
    above: int


@dataclass(slots=True)
class Timeline:
    turns: list[Turn]  # by start
    requests: list[Request]
    adopted: dict[int, int]  # orphan -> the step that it most likely stands below
    of: dict[str, list[int]] = field(default_factory=dict)  # normal name -> its turns
    starts: dict[str, list[int]] = field(default_factory=dict)

    def next_of(self, name: str, at: int) -> int | None:
        """The first turn of an agent that begins at or after `at`."""
        starts = self.starts.get(name)
        if not starts:
            return None
        place = bisect_left(starts, at - SLACK_NS)
        return self.of[name][place] if place < len(starts) else None


def ended(tree: Tree, i: int) -> int:
    step = tree.steps[i]
    return step.end_ns if step.end_ns > step.start_ns else step.start_ns


def timeline(tree: Tree, cast: Cast) -> Timeline:
    steps = tree.steps
    turns = []
    for i in cast.turns:
        who = cast.who[i]
        if who is not None:
            above = tree.parent[i]
            inside = cast.turn[above] if above >= 0 else -1
            turns.append(Turn(who, steps[i].start_ns, ended(tree, i), i, inside, cast.holder[i]))
    requests, adopted = _requests(tree, cast, turns)
    turns.extend(_stretches(tree, cast, turns))
    turns.sort(key=lambda turn: (turn.start, turn.step))
    found = Timeline(turns, requests, adopted)
    for number, turn in enumerate(turns):
        name = cast.norm(turn.who[1])
        found.of.setdefault(name, []).append(number)
        found.starts.setdefault(name, []).append(turn.start)
    return found


def _stretches(tree: Tree, cast: Cast, real: Iterable[Turn]) -> list[Turn]:
    """Named steps outside any turn of their agent, joined while no other agent begins in between."""
    turn, whose = cast.turn, cast.who
    marks = [
        i
        for i, who in enumerate(whose)
        if who is not None
        and (turn[i] < 0 or whose[turn[i]] is not who)
        and tree.kind[i] is not WORKFLOW
        and tree.kind[i] is not AGENT
    ]
    if not marks:
        return []
    made: list[Turn] = []
    begun = sorted(real, key=lambda turn: turn.start)
    reach: dict[Who, int] = {}
    latest: Turn | None = None
    place = 0
    for i in marks:
        step, who = tree.steps[i], cast.who[i]
        while place < len(begun) and begun[place].start <= step.start_ns:
            latest = begun[place]
            reach[latest.who] = max(latest.end, reach.get(latest.who, 0))
            place += 1
        end = ended(tree, i)
        if who is None or (reach.get(who, -1) >= step.start_ns and (latest is None or latest.who != who)):
            continue
        if latest is not None and latest.who == who:
            if not latest.real:
                latest.end = max(latest.end, end)
            continue
        latest = Turn(who, step.start_ns, end, i, cast.turn[i], cast.holder[i], real=False)
        made.append(latest)
    return made


def _requests(tree: Tree, cast: Cast, turns: list[Turn]) -> tuple[list[Request], dict[int, int]]:
    """Agents that a model asked for and that left no span; orphans that fall into such a gap are theirs."""
    steps = tree.steps
    asking = [i for i, step in enumerate(steps) if step.hints and "wants" in step.hints and cast.who[i] is not None]
    if not asking:
        return [], {}
    known: dict[str, Who] = {cast.norm(turn.who[1]): turn.who for turn in turns}
    for i in cast.turns:
        hints = steps[i].hints
        for name in hints.get("team", ()) if hints else ():
            known.setdefault(cast.norm(name), (steps[i].application, name))
    seen = _seen(tree, cast)
    requests = []
    for i in asking[:MOST_CALLS]:
        by, above = cast.who[i], tree.parent[i]
        if by is None or above < 0:
            continue
        for name in steps[i].hints["wants"]:
            to = known.get(cast.norm(name))
            if to is not None and to != by and (above, cast.norm(name)) not in seen:
                requests.append(Request(by, to, ended(tree, i), i, ended(tree, above), above))
    return requests, _adopt(tree, cast, requests)


def _seen(tree: Tree, cast: Cast) -> set[tuple[int, str]]:
    """Agents and tools that left a span, with the step they stand below."""
    found = set()
    for i, kind in enumerate(tree.kind):
        if kind is AGENT:
            who = cast.who[i]
            found.add((tree.parent[i], cast.norm(who[1] if who else tree.steps[i].name)))
        elif kind in (TOOL, HANDOFF):
            found.add((tree.parent[i], cast.norm(tree.steps[i].subject or tree.steps[i].name)))
    return found


def _adopt(tree: Tree, cast: Cast, requests: list[Request]) -> dict[int, int]:
    adopted: dict[int, int] = {}
    if not requests:
        return adopted
    requests.sort(key=lambda request: (request.at, request.step))
    starts = [request.at for request in requests]
    theirs: dict[int, Who] = {}
    for i in tree.topo:
        above = tree.parent[i]
        if above in theirs and cast.who[i] is None:
            theirs[i] = cast.who[i] = theirs[above]
        elif tree.orphan[i] and cast.who[i] is None:
            place = bisect_left(starts, tree.steps[i].start_ns + 1) - 1
            request = requests[place] if place >= 0 else None
            if request is not None and ended(tree, i) <= request.until + SLACK_NS:
                theirs[i] = cast.who[i] = request.to
                adopted[i] = request.above
    return adopted
