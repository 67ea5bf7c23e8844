"""The steps of a run as a tree, in whatever order they came: who is below whom, and in which order they began.

1. Of steps that came twice one is kept. Registrations of agents are no steps.
2. Steps are sorted by start; a parent goes before its child where both began at once.
3. Each step finds its parent within its own trace. A parent that never came makes an orphan; a chain of parents that
   bites its own tail is cut at its first step.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from operator import attrgetter

from orchestration.telemetry.spans import REGISTRATION, Kind
from orchestration.workflows.story import Step

_ORDER = attrgetter("start_ns", "trace_id", "span_id")


class Tree:
    """Parallel lists over the steps in order of start; `parent` holds places in them, -1 for none."""

    __slots__ = ("depth", "kind", "orphan", "parent", "steps", "topo")

    def __init__(self, steps: list[Step], parent: list[int], orphan: list[bool]) -> None:
        self.steps = steps
        self.parent = parent
        self.orphan = orphan
        self.depth: list[int] = []
        self.topo: list[int] = []  # parents before children, also where a clock is wrong
        self.kind: list[Kind] = [step.kind for step in steps]


def plant(steps: Iterable[Step]) -> Tree:
    ordered, skipped = _distinct(list(steps))
    alone = len({step.trace_id for step in ordered}) < 2
    # most runs are one trace, in which the span's own id is enough
    ids = [step.span_id for step in ordered] if alone else [step.trace_id + step.span_id for step in ordered]
    find = dict(zip(ids, range(len(ids)), strict=True)).get
    if skipped:
        above = [_past(skipped, step.trace_id, step.parent_id) for step in ordered]
    else:
        above = [step.parent_id for step in ordered]
    if alone:
        parent = list(map(find, above, repeat(-1)))
    else:
        parent = [find(step.trace_id + up, -1) for step, up in zip(ordered, above, strict=True)]
    orphan = [False] * len(parent)
    if parent.count(-1) > above.count(b""):
        orphan = [at < 0 and up != b"" for at, up in zip(parent, above, strict=True)]
    tree = Tree(ordered, parent, orphan)
    if not _grow(tree):
        tree = _untangle(tree)
    return tree


def _distinct(steps: list[Step]) -> tuple[list[Step], dict[bytes, bytes]]:
    """Each span once, by the earliest of its starts, in order; and the parents of what is no step."""
    skipped = {step.trace_id + step.span_id: step.parent_id for step in steps if step.kind is REGISTRATION}
    if skipped:
        steps = [step for step in steps if step.kind is not REGISTRATION]
    if len({step.span_id for step in steps}) < len(steps):
        known: dict[tuple[bytes, bytes], Step] = {}
        for step in steps:
            key = step.trace_id, step.span_id
            other = known.get(key)
            if other is None or (step is not other and _rank(step) < _rank(other)):
                known[key] = step
        steps = list(known.values())
    return sorted(steps, key=_ORDER), skipped


def _rank(step: Step) -> tuple[int, int, int, str, str]:
    return step.start_ns, -step.end_ns, -int(step.outcome), step.name, repr(step)


def _past(skipped: dict[bytes, bytes], trace: bytes, above: bytes) -> bytes:
    """The parent, past those that are no steps."""
    for _ in range(len(skipped)):
        if trace + above not in skipped:
            break
        above = skipped[trace + above]
    return above


def _grow(tree: Tree) -> bool:
    """Depths, if every parent stands before its children, as it nearly always does."""
    depth = tree.depth
    for i, at in enumerate(tree.parent):
        if at >= i:
            depth.clear()
            return False
        depth.append(depth[at] + 1 if at >= 0 else 0)
    tree.topo = list(range(len(depth)))
    return True


def _untangle(tree: Tree) -> Tree:
    """The same with clocks that disagree, ties and rings; then sorted anew, ties by depth."""
    depth, topo = _measure(tree)
    steps = tree.steps
    order = sorted(range(len(steps)), key=lambda i: (steps[i].start_ns, depth[i], steps[i].trace_id, steps[i].span_id))
    place = [0] * len(order)
    for new, old in enumerate(order):
        place[old] = new
    parent = [place[tree.parent[old]] if tree.parent[old] >= 0 else -1 for old in order]
    sorted_tree = Tree([steps[old] for old in order], parent, [tree.orphan[old] for old in order])
    sorted_tree.depth = [depth[old] for old in order]
    sorted_tree.topo = [place[old] for old in topo]
    return sorted_tree


def _measure(tree: Tree) -> tuple[list[int], list[int]]:
    """Walk up from each step until something measured, then count down; a ring is cut at its first step."""
    parent = tree.parent
    depth = [-1] * len(parent)
    topo: list[int] = []
    for i in range(len(parent)):
        path: dict[int, None] = {}
        at = i
        while at >= 0 and depth[at] < 0:
            if at in path:
                cut = min(_ring(path, at))
                parent[cut], tree.orphan[cut] = -1, True
                path, at = {}, i
                continue
            path[at] = None
            at = parent[at]
        below = depth[at] if at >= 0 else -1
        for step in reversed(path):
            below += 1
            depth[step] = below
            topo.append(step)
    return depth, topo


def _ring(path: dict[int, None], at: int) -> list[int]:
    steps = list(path)
    return steps[steps.index(at) :]
