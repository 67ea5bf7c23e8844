"""What a load adds up to, and what Baton says that it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

Key = TypeVar("Key")
Sums = list[int]  # spans, errors, tokens in, tokens out


@dataclass
class Totals:
    """`agents`: (application, agent, "" for none) to sums. `flows`: workflow to [runs, *sums]."""

    agents: dict[tuple[str, str], Sums] = field(default_factory=dict)
    flows: dict[str, Sums] = field(default_factory=dict)

    def span(self, application: str, agent: str, sums: Sums) -> None:
        _add(self.agents, (application, agent), sums)

    def run(self, workflow: str, sums: Sums) -> None:
        _add(self.flows, workflow, [1, *sums])

    def add(self, other: Totals, times: int = 1) -> None:
        for key, sums in other.agents.items():
            _add(self.agents, key, [value * times for value in sums])
        for workflow, sums in other.flows.items():
            _add(self.flows, workflow, [value * times for value in sums])

    @property
    def all(self) -> Sums:
        return [sum(column) for column in zip(*self.agents.values(), strict=True)] if self.agents else [0, 0, 0, 0]

    @property
    def runs(self) -> int:
        return sum(sums[0] for sums in self.flows.values())

    def applications(self) -> dict[str, Sums]:
        found: dict[str, Sums] = {}
        for (application, _), sums in self.agents.items():
            _add(found, application, sums)
        return found

    def differences(self, other: Totals) -> list[str]:
        """What differs in the other, in words; empty when all is equal."""
        mine = {f"{a}/{b or '-'}": sums for (a, b), sums in self.agents.items()} | self.flows
        theirs = {f"{a}/{b or '-'}": sums for (a, b), sums in other.agents.items()} | other.flows
        return [
            f"{name}: expected {mine.get(name)}, found {theirs.get(name)}"
            for name in sorted(mine.keys() | theirs.keys())
            if any(mine.get(name, ())) or any(theirs.get(name, ()))
            if mine.get(name) != theirs.get(name)
        ]


def _add(table: dict[Key, Sums], key: Key, sums: Sums) -> None:
    found = table.setdefault(key, [0] * len(sums))
    for place, value in enumerate(sums):
        found[place] += value
