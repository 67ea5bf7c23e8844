"""Where the time went: work and waiting by kind of step, and the shares of agents, people and nobody.

Work is a step's own time, not covered by steps below it. Waiting is the time since the last thing that a step depended
on had ended; it is told only where nobody worked meanwhile: below a process, or between the traces of a run. (Time
between two calls of an agent is the agent's own work.)
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from orchestration.telemetry.spans import AGENT, HUMAN, TOOL, WORKFLOW
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


def times(tree: Tree, cast: Cast, failed: set[int], asks: list[Asked], attempts: Mapping[int, int]) -> Times:
    """`attempts` are those above the first, by place."""
    found = Times()
    work, wait = _own(tree)
    _shares(tree, found, asks)
    rows: dict[tuple[str, str], StepTime] = {}
    steps, kinds = tree.steps, tree.kind
    for i, kind in enumerate(kinds):
        step = steps[i]
        if kind is TOOL:
            key = step.subject or step.name, step.system or step.subject
        elif kind is HUMAN:
            key = step.subject or step.name, PEOPLE
        elif kind is WORKFLOW and step.subject:  # a name for one run alone
            key = step.workflow or step.name, step.application
        else:
            who = cast.who[i]
            owner = who[1] if who else step.system or step.application
            key = step.subject or (owner if kind is AGENT else _cleaned(step.name)), owner
        row = rows.get(key)
        if row is None:
            row = rows[key] = StepTime(key[0], key[1], 0, 0, 0, 0)
        row.count += 1
        row.work_ns += work[i]
        row.wait_ns += wait[i]
        if i in attempts:
            row.retry_ns += work[i]
        if i in failed:
            row.failed += 1
    found.steps = list(rows.values())
    return found


def _own(tree: Tree) -> tuple[list[int], list[int]]:
    """Work and waiting of each step, in one pass over the steps in order of start."""
    steps, parent, kinds = tree.steps, tree.parent, tree.kind
    work, wait = [0] * len(steps), [0] * len(steps)
    reach = [0] * len(steps)  # until when the steps seen so far cover the one they stand below
    top = steps[0].start_ns if steps else 0
    ends = [step.end_ns for step in steps]
    for i, step in enumerate(steps):
        start = reach[i] = step.start_ns
        end = ends[i] if ends[i] > start else start
        above = parent[i]
        if kinds[i] is not WORKFLOW:
            work[i] = end - start
        if above < 0:
            wait[i], top = _after(top, start, end)
        elif above < i:  # else a clock is wrong: such a step covers nothing
            known = reach[above]
            if kinds[above] is WORKFLOW:
                wait[i], reach[above] = _after(known, start, end)
            else:
                covered = (end if end < ends[above] else ends[above]) - (start if start > known else known)
                if covered > 0:
                    work[above] -= covered
                if end > known:
                    reach[above] = end
    return work, wait


def _after(known: int, start: int, end: int) -> tuple[int, int]:
    """How long after `known` something began, and until when all is known then."""
    return (start - known if start > known else 0), (end if end > known else known)


def _shares(tree: Tree, found: Times, asks: list[Asked]) -> None:
    """One sweep over the steps: when somebody worked, when a person did; the rest nobody did."""
    if not tree.steps:
        return
    first = last = busy_until = people_until = tree.steps[0].start_ns
    busy = people = 0
    for step, kind in zip(tree.steps, tree.kind, strict=True):
        start, end = step.start_ns, step.end_ns
        if end > last or start > last:
            last = end if end > start else start
        if kind is WORKFLOW:
            continue
        if end > busy_until:
            busy += end - (start if start > busy_until else busy_until)
            busy_until = end
        if kind is HUMAN and end > people_until:
            people += end - max(start, people_until)
            people_until = end
    found.people_ns = people
    found.agents_ns = busy - people
    found.waiting_ns = last - first - busy
    found.active_ns = last - first - people - _paused(tree, asks)


def _paused(tree: Tree, asks: list[Asked]) -> int:
    """Time between the end of a trace that stopped for a person and what went on, in another trace, after that."""
    traces = {tree.steps[item.step].trace_id for item in asks if item.pauses}
    if not traces:
        return 0
    halts = dict.fromkeys(traces, 0)
    for step in tree.steps:
        if step.trace_id in halts:
            halts[step.trace_id] = max(halts[step.trace_id], step.end_ns, step.start_ns)
    total = until = 0
    starts = [step.start_ns for step in tree.steps]
    for halt in sorted(halts.values()):
        place = bisect_left(starts, halt)
        if place < len(starts) and starts[place] > max(halt, until):
            total += starts[place] - max(halt, until)
            until = starts[place]
    return total


@lru_cache(maxsize=8192)
def _cleaned(name: str) -> str:
    """A name without the ids that some producers put into it."""
    return _ID.sub("*", name)
