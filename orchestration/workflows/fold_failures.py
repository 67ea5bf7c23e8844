"""Failures: each counted once, where it began; and whether something made up for it.

An error climbs: every ancestor of a failed call repeats it. Counted is the deepest. An ancestor counts too when all
failures below it had been made up for before it ended: then it failed for a reason of its own.
Made up for is a failure by a later success of the same agent with the same tool or model. A failure without an agent's
meaning (a database call, a message) is handled when the step around it ended well.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache

from orchestration.telemetry.spans import AGENT, ERROR, EVALUATION, GUARDRAIL, LLM, MESSAGING, OTHER, TOOL, Kind
from orchestration.workflows.fold_agents import Cast, Who
from orchestration.workflows.fold_tree import Tree
from orchestration.workflows.fold_turns import SLACK_NS, ended

PLAIN = frozenset({OTHER, MESSAGING, GUARDRAIL, EVALUATION})
MOST_CLIMBED = 64
MOST_BASES = 4
_ANY = "*"
_RELEASED = "~"  # before a model's name: successes of its releases
# what names a release of a model: a date, a number of it, `-v1:0`, `:latest`, `@…`. Not `-v2` or `:70b`: other models
_RELEASE = re.compile(
    r"(?<=.)(?:[-_](?:20\d{2}-?\d{2}-?\d{2}|(?:0[1-9]|1[0-2])[0-3]\d|00\d|latest|v\d+:\d+)|:latest|@[^/@]+)$"
)
Same = tuple[Who | None, Kind, str]


@dataclass(slots=True)
class Failures:
    failed: set[int] = field(default_factory=set)  # counted
    lasting: set[int] = field(default_factory=set)  # not made up for


def failures(tree: Tree, cast: Cast, adopted: dict[int, int]) -> Failures:
    found = Failures()
    bad = [i for i, step in enumerate(tree.steps) if step.outcome is ERROR]
    if not bad:
        return found
    below = _below(tree, bad, adopted)
    found.failed = {i for i in bad if i not in below and tree.kind[i] is not GUARDRAIL}
    found.failed -= _echoes(tree, cast, found.failed)
    cures = _Cures(tree, cast, bad)
    covered: set[int] = set()
    for i in sorted(found.failed):
        cured = cures.when(i)
        _cover(tree, i, cured, covered, adopted)
        unit = _unit(tree, cast, i)
        if unit >= 0 and (cured if unit == i else cures.when(unit)) is None:
            found.lasting.add(unit)
    for i in bad:
        if i in below and i not in covered and tree.kind[i] is not GUARDRAIL:
            found.failed.add(i)
            unit = _unit(tree, cast, i)
            if unit >= 0 and cures.when(unit) is None:
                found.lasting.add(unit)
    return found


def _below(tree: Tree, bad: list[int], adopted: dict[int, int]) -> set[int]:
    """Steps with an error somewhere below them."""
    marked: set[int] = set()
    for i in bad:
        if tree.kind[i] is GUARDRAIL:
            continue
        at = tree.parent[i] if tree.parent[i] >= 0 else adopted.get(i, -1)
        while at >= 0 and at not in marked:
            marked.add(at)
            at = tree.parent[at] if tree.parent[at] >= 0 else adopted.get(at, -1)
    return marked


def _echoes(tree: Tree, cast: Cast, failed: set[int]) -> set[int]:
    """Agent spans whose work lies beside them, not below (LangChain by OpenLLMetry), repeat a failure in that work."""
    alone = {i for i in failed if tree.kind[i] is AGENT}
    if not alone or len(alone) == len(failed):
        return set()
    calls: dict[Who | None, list[int]] = {}
    for i in sorted(failed - alone):
        calls.setdefault(cast.who[i], []).append(tree.steps[i].start_ns)
    echoes = set()
    for i in alone:
        starts = calls.get(cast.who[i], [])
        place = bisect_left(starts, tree.steps[i].start_ns)
        if place < len(starts) and starts[place] <= ended(tree, i):
            echoes.add(i)
    return echoes


def _cover(tree: Tree, i: int, cured: int | None, covered: set[int], adopted: dict[int, int]) -> None:
    """Mark the errors above a failure that merely repeat it: those that ended before it was made up for."""
    at = i
    for _ in range(MOST_CLIMBED):
        at = tree.parent[at] if tree.parent[at] >= 0 else adopted.get(at, -1)
        if at < 0 or (cured is not None and cured <= ended(tree, at)):
            return
        covered.add(at)
    while at >= 0 and at not in covered:
        covered.add(at)
        at = tree.parent[at]


def _unit(tree: Tree, cast: Cast, i: int) -> int:
    """What failed, in terms of an agent's work: the step itself, or the failed call around it. -1: it was handled."""
    steps, parent = tree.steps, tree.parent
    at = i
    while tree.kind[at] in PLAIN:
        above = parent[at]
        if above < 0:
            return at
        if steps[above].outcome is not ERROR:
            return -1
        at = above
    held = cast.holder[at]
    if held >= 0 and tree.kind[held] is TOOL and tree.kind[at] is not TOOL and tree.kind[at] is not AGENT:
        return at if steps[held].outcome is ERROR else -1
    above = parent[at]
    if tree.kind[at] is LLM and above >= 0 and tree.kind[above] is LLM:
        return at if steps[above].outcome is ERROR else -1
    return at


class _Cures:
    """Later successes, looked up only for what failed."""

    def __init__(self, tree: Tree, cast: Cast, bad: list[int]) -> None:
        self.tree = tree
        self.cast = cast
        wanted = {self.same(i)[:2] for i in bad}
        self.successes: dict[Same, list[tuple[int, int]]] = {}
        kinds = {kind for _, kind in wanted}
        for i, step in enumerate(tree.steps):
            if tree.kind[i] not in kinds or step.outcome is ERROR or not step.end_ns:
                continue
            same = self.same(i)
            if same[:2] in wanted:
                self.successes.setdefault(same, []).append((step.start_ns, ended(tree, i)))
                if same[1] == LLM and same[2]:
                    for name in (_ANY, *(_RELEASED + base for base in bases(same[2]))):
                        self.successes.setdefault((*same[:2], name), []).append((step.start_ns, ended(tree, i)))

    def same(self, i: int) -> Same:
        step, kind = self.tree.steps[i], self.tree.kind[i]
        if kind is AGENT:
            return self.cast.who[i], kind, ""
        if kind is LLM:
            return self.cast.who[i], kind, step.subject
        return self.cast.who[i], kind, self.cast.norm(step.subject or step.name)

    def when(self, i: int) -> int | None:
        """The end of the first success that began after step `i` had ended, None without one. A model call that failed
        may not know its model, or only the name it asked for while the answer names a release of that."""
        same = self.same(i)
        keys = [same]
        if same[1] == LLM:
            others = ("", _RELEASED + same[2], *bases(same[2])) if same[2] else (_ANY,)
            keys += [(*same[:2], name) for name in others]
        found = [end for key in keys if (end := self._first(key, i)) is not None]
        return min(found, default=None)

    def _first(self, same: Same, i: int) -> int | None:
        successes = self.successes.get(same, [])
        after = max(ended(self.tree, i) - SLACK_NS, self.tree.steps[i].start_ns + 1)
        place = bisect_left(successes, (after,))
        return successes[place][1] if place < len(successes) else None


@lru_cache(maxsize=1024)
def bases(model: str) -> tuple[str, ...]:
    """The names of which this model's is a release: `m-20250929-v1:0` is one of `m-20250929` and of `m`."""
    found: list[str] = []
    while (base := _RELEASE.sub("", model)) != model and len(found) < MOST_BASES:
        found.append(base)
        model = base
    return tuple(found)
