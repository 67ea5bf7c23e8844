"""Many conditions on the same facts, at a fraction of what asking each of them costs: for a replay, which asks millions
of times. The engine is asked for several at once; where one of them cannot be told, each is asked by itself, so that
what comes out is what `Program.test` gives, always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.policies import cel
from orchestration.policies.cel import Program
from orchestration.policies.vocabulary import FIELDS

AT_ONCE = 24  # conditions in one expression
KNOWN = "known"

Told = tuple[int, tuple[tuple[int, str], ...]]  # bits of those that are true; place and reason of those not told


class Together:
    """Conditions in their order; `test` answers for all of them, or for those at `places`."""

    def __init__(self, programs: Sequence[Program], places: Sequence[int] | None = None) -> None:
        self.programs = tuple(programs)
        asked = list(range(len(self.programs)) if places is None else places)
        self._names = names_in([self.programs[place] for place in asked])
        self._alone: list[int] = []
        self._groups: list[tuple[list[int], Any]] = []
        self._group(asked)

    def bind(self, facts: Mapping[str, Any]) -> Any:
        """Of the facts those that a condition names: binding the others costs as much as testing."""
        wanted = {name: facts[name] for name in self._names if name in facts}
        if KNOWN in self._names:
            wanted[KNOWN] = sorted(facts)
        return cel.activation(wanted)

    def test(self, activation: Any) -> Told:
        true, untold = 0, []
        for places, expression in self._groups:
            found = cel.bits(expression, activation)
            if found is None:
                more, failed = self._each(places, activation)
                true |= more
                untold += failed
                self._part(places, failed)
            elif found:
                true |= found << places[0] if places[-1] - places[0] == len(places) - 1 else _spread(found, places)
        if self._alone:
            more, failed = self._each(self._alone, activation)
            true |= more
            untold += failed
        return true, tuple(untold)

    def _each(self, places: Sequence[int], activation: Any) -> tuple[int, list[tuple[int, str]]]:
        true, untold = 0, []
        for place in places:
            outcome = self.programs[place].test(activation)
            if outcome is True:
                true |= 1 << place
            elif isinstance(outcome, str):
                untold.append((place, outcome))
        return true, untold

    def _group(self, places: list[int]) -> None:
        for begin in range(0, len(places), AT_ONCE):
            some = places[begin : begin + AT_ONCE]
            try:
                self._groups.append((some, cel.packed([self.programs[place] for place in some])))
            except RuntimeError:  # too much for one expression
                self._alone += some

    def _part(self, places: list[int], failed: list[tuple[int, str]]) -> None:
        """Whoever could not be told once is asked alone from now on, and does not hold up the others."""
        lone = {place for place, _ in failed}
        if not lone:
            lone = set(places)  # each can be told, and only together they are too much
        self._groups = [group for group in self._groups if group[0] is not places]
        self._alone += sorted(lone)
        self._group([place for place in places if place not in lone])


def names_in(programs: Sequence[Program]) -> frozenset[str]:
    """The facts that conditions name, also where they only ask whether they are there."""
    return frozenset(
        str(node.value)
        for each in programs
        for node in each.tree.walk()
        if node.kind == "name" and node.value in FIELDS
    )


def _spread(found: int, places: Sequence[int]) -> int:
    return sum(1 << place for n, place in enumerate(places) if found >> n & 1)
