"""What rules that look back would have seen, out of recorded decisions in their order. Pure.

A recorded decision carries the facts that the rules of its time needed. A draft that looks back where they did not is
given the same sums again: over earlier decisions of the same type that were not refused, by a policy or by a person.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.policies.vocabulary import WINDOWS

DAY_S = WINDOWS["24h"]


@dataclass(slots=True)
class _Window:
    """Asks of one subject and type within one window, and their sums as they stand."""

    seconds: int
    asks: deque[tuple[float, float]] = field(default_factory=deque)
    amount: float = 0.0

    def upto(self, now: float) -> tuple[float, float]:
        while self.asks and self.asks[0][0] <= now - self.seconds:
            self.amount -= self.asks.popleft()[1]
        if not self.asks:
            self.amount = 0.0  # what adding and taking away leaves over
        return float(len(self.asks)), round(self.amount, 4)


class Lookback:
    """Fed with decisions oldest first: `facts` of one before it is `added`."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str], list[_Window]] = {}
        self._agents: dict[tuple[str, str], deque[tuple[float, str]]] = defaultdict(deque)

    def facts(self, subjects: Mapping[str, str], action_type: str, at: datetime) -> dict[str, Any]:
        now = at.timestamp()
        found: dict[str, Any] = {}
        for subject, value in subjects.items():
            windows = self._sums.get((subject, value, action_type))
            for place, window in enumerate(WINDOWS):
                count, amount = windows[place].upto(now) if windows else (0.0, 0.0)
                found[f"past.count_{subject}_{window}"] = count
                found[f"past.amount_{subject}_{window}"] = amount
            if subject != "agent":
                recent = self._agents.get((subject, value), deque())
                while recent and recent[0][0] <= now - DAY_S:
                    recent.popleft()
                found[f"past.agents_{subject}_24h"] = sorted({agent for _, agent in recent})
        return found

    def add(
        self,
        subjects: Mapping[str, str],
        action_type: str,
        at: datetime,
        agent: str,
        amount: float | None,
        counts: bool,
    ) -> None:
        now = at.timestamp()
        for subject, value in subjects.items():
            if subject != "agent":
                self._agents[subject, value].append((now, agent))
            if not counts:
                continue
            key = subject, value, action_type
            windows = self._sums.get(key)
            if windows is None:
                windows = self._sums[key] = [_Window(seconds) for seconds in WINDOWS.values()]
            for window in windows:
                window.asks.append((now, amount or 0.0))
                window.amount += amount or 0.0
