"""Where the time went: work and waiting by kind of step, and the shares of agents, people and nobody.

Work is a step's own time, not covered by steps below it. Waiting is the time since the last thing that a step depended
on had ended; it is told only where nobody worked meanwhile: below a process, or between the traces of a run. (Time
between two calls of an agent is the agent's own work.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from orchestration.telemetry.spans import Kind
from orchestration.workflows.fold_agents import Cast
from orchestration.workflows.fold_people import Asked
from orchestration.workflows.fold_tree import Tree
from orchestration.workflows.story import StepTime

_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|(?<![A-Za-z])[0-9a-fA-F]{8,}(?![A-Za-z])|\d+")
PEOPLE = "people"


@dataclass(slots=True)
class Times:
    steps: list[StepTime] = field(default_factory=list)
    agents_ns: int = 0
    people_ns: int = 0
    waiting_ns: int = 0
    active_ns: int = 0


def times(tree: Tree, cast: Cast, failed: set[int], asks: list[Asked]) -> Times:
    found = Times()
    work, wait = _own(tree)
    _shares(tree, found, asks)
    rows: dict[tuple[str, str], StepTime] = {}
    steps, kinds = tree.steps, tree.kind
    for i, kind in enumerate(kinds):
        step = steps[i]
        if kind == Kind.TOOL:
            key = step.subject or step.name, step.system or step.subject
        elif kind == Kind.HUMAN:
            key = step.subject or step.name, PEOPLE
        else:
            who = cast.who[i]
            owner = who[1] if who else step.system or step.application
            key = step.subject or (owner if kind == Kind.AGENT else _cleaned(step.name)), owner
        row = rows.get(key)
        if row is None:
            row = rows[key] = StepTime(key[0], key[1], 0, 0, 0, 0)
        row.count += 1
        row.work_ns += work[i]
        row.wait_ns += wait[i]
        if i in failed:
            row.failed += 1
    found.steps = list(rows.values())
    return found


def _own(tree: Tree) -> tuple[list[int], list[int]]:
    steps, parent, kinds = tree.steps, tree.parent, tree.kind
    n = len(steps)
    work, wait = [0] * n, [0] * n
    reach = [0] * n  # until when the children seen so far cover their parent
    ends = [0] * n
    top = 0
    for i, step in enumerate(steps):
        start, end = step.start_ns, step.end_ns
        if end < start:
            end = start
        ends[i] = end
        work[i] = end - start if kinds[i] != Kind.WORKFLOW else 0
        reach[i] = start
        above = parent[i]
        if above < 0:
            if top and start > top:
                wait[i] = start - top
            top = max(top, end)
            continue
        known = reach[above] if above < i else steps[above].start_ns
        if kinds[above] == Kind.WORKFLOW:
            if start > known:
                wait[i] = start - known
        elif above < i:
            covered = min(end, ends[above]) - max(start, known)
            if covered > 0:
                work[above] -= covered
        if above < i and end > known:
            reach[above] = end
    return work, wait


def _shares(tree: Tree, found: Times, asks: list[Asked]) -> None:
    """One sweep over the steps: when somebody worked, when a person did; the rest nobody did."""
    first = last = busy_until = people_until = 0
    busy = people = 0
    for i, step in enumerate(tree.steps):
        start, end = step.start_ns, step.end_ns
        if end < start:
            end = start
        if not first:
            first = last = busy_until = people_until = start
        if end > last:
            last = end
        kind = tree.kind[i]
        if kind == Kind.HUMAN:
            if end > people_until:
                people += end - max(start, people_until)
                people_until = end
        elif kind == Kind.WORKFLOW:
            continue
        if end > busy_until:
            busy += end - max(start, busy_until)
            busy_until = end
    found.people_ns = people
    found.agents_ns = busy - people
    found.waiting_ns = last - first - busy
    found.active_ns = last - first - people - _paused(tree, asks)


def _paused(tree: Tree, asks: list[Asked]) -> int:
    """Time between the question that stopped a program and what went on after the answer."""
    total = until = 0
    for item in asks:
        if not item.pauses:
            continue
        trace = tree.steps[item.step].trace_id
        halted = max((s.end_ns for s in tree.steps if s.trace_id == trace and s.end_ns), default=item.at)
        resumed = min((s.start_ns for s in tree.steps if s.trace_id != trace and s.start_ns >= item.at), default=0)
        start = max(halted, until)
        if resumed > start:
            total += resumed - start
            until = resumed
    return total


@lru_cache(maxsize=8192)
def _cleaned(name: str) -> str:
    """A name without the ids that some producers put into it."""
    return _ID.sub("*", name)
