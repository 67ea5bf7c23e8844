"""What rules that look back would have seen, out of recorded decisions in their order. Pure.

A recorded decision carries the facts that the rules of its time needed. A draft that looks back where they did not is
given the same sums again: over earlier decisions of the same type that were not refused, by a policy or by a person.
Only what is read is summed up, and what has left every window is forgotten.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.policies.vocabulary import SUBJECTS, WINDOWS

DAY_S = WINDOWS["24h"]
TIDY_EACH = 20_000  # decisions
TRIM_AT = 256  # places at the begin of a list that no window reads any more


@dataclass(slots=True)
class _Window:
    """Where a window begins in its subject's asks, and their sum as it stands."""

    begin: int = 0
    amount: float = 0.0


@dataclass(slots=True)
class _Asks:
    """Asks of one subject and type, oldest first."""

    windows: list[_Window]
    times: array[float] = field(default_factory=lambda: array("d"))
    amounts: array[float] = field(default_factory=lambda: array("d"))

    def add(self, now: float, amount: float) -> None:
        self.times.append(now)
        self.amounts.append(amount)
        for window in self.windows:
            window.amount += amount

    def upto(self, place: int, seconds: int, now: float) -> tuple[float, float]:
        window, times = self.windows[place], self.times
        while window.begin < len(times) and times[window.begin] <= now - seconds:
            window.amount -= self.amounts[window.begin]
            window.begin += 1
        if window.begin == len(times):
            window.amount = 0.0  # what adding and taking away leaves over
        return float(len(times) - window.begin), round(window.amount, 4)

    def trim(self) -> None:
        unread = min(window.begin for window in self.windows)
        if unread >= TRIM_AT:
            del self.times[:unread], self.amounts[:unread]
            for window in self.windows:
                window.begin -= unread


class Lookback:
    """Fed with decisions oldest first: `facts` of one before it is `added`. `reads`: names of the facts that are
    wanted, all of them where none are named."""

    def __init__(self, reads: Iterable[str] | None = None) -> None:
        wanted = None if reads is None else set(reads)
        self._windows: dict[str, list[tuple[str, int]]] = {}
        self._who: set[str] = set()
        for subject in SUBJECTS:
            windows = [
                (window, seconds)
                for window, seconds in WINDOWS.items()
                if wanted is None or {f"past.{what}_{subject}_{window}" for what in ("count", "amount")} & wanted
            ]
            if windows:
                self._windows[subject] = windows
            if subject != "agent" and (wanted is None or f"past.agents_{subject}_24h" in wanted):
                self._who.add(subject)
        self._asks: dict[tuple[str, str, str], _Asks] = {}
        self._agents: dict[tuple[str, str], dict[str, float]] = {}
        self._added = 0

    def facts(self, subjects: Mapping[str, str], action_type: str, at: datetime) -> dict[str, Any]:
        now = at.timestamp()
        found: dict[str, Any] = {}
        for subject, value in subjects.items():
            asks = self._asks.get((subject, value, action_type))
            for place, (window, seconds) in enumerate(self._windows.get(subject, ())):
                count, amount = asks.upto(place, seconds, now) if asks else (0.0, 0.0)
                found[f"past.count_{subject}_{window}"] = count
                found[f"past.amount_{subject}_{window}"] = amount
            if subject in self._who:
                agents = self._agents.get((subject, value), {})
                found[f"past.agents_{subject}_24h"] = sorted(
                    name for name, last in agents.items() if last > now - DAY_S
                )
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
            if subject in self._who:
                self._agents.setdefault((subject, value), {})[agent] = now
            if not counts or subject not in self._windows:
                continue
            key = subject, value, action_type
            asks = self._asks.get(key)
            if asks is None:
                asks = self._asks[key] = _Asks([_Window() for _ in self._windows[subject]])
            asks.add(now, amount or 0.0)
        self._added += 1
        if self._added % TIDY_EACH == 0:
            self._tidy(now)

    def _tidy(self, now: float) -> None:
        longest = {subject: max(seconds for _, seconds in windows) for subject, windows in self._windows.items()}
        self._asks = {key: asks for key, asks in self._asks.items() if asks.times[-1] > now - longest[key[0]]}
        for asks in self._asks.values():
            asks.trim()
        self._agents = {key: agents for key, agents in self._agents.items() if max(agents.values()) > now - DAY_S}
