"""The table at the end, and the lines on the way there."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """`good` None: measured for the record, there is no bar. `firm`: when it is missed, the bench fails."""

    bench: str
    what: str
    budget: str
    measured: str
    ratio: str
    good: bool | None
    firm: bool


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    bench: str = ""

    def say(self, words: str) -> None:
        print(f"[{time.monotonic() - self.begun:6.1f} s] {self.bench}: {words}", file=sys.stderr, flush=True)

    def add(
        self,
        what: str,
        measured: str,
        *,
        budget: str = "",
        ratio: str = "",
        good: bool | None = None,
        firm: bool = False,
    ) -> None:
        self.rows.append(Row(self.bench, what, budget, measured, ratio, good, firm))
        self.say(f"{what}: {measured} {ratio}")

    def most(self, what: str, value: float, bar: float, unit: str, *, firm: bool = False) -> None:
        """A value that must not be above its bar."""
        self.add(
            what,
            f"{value:,.1f} {unit}",
            budget=f"≤ {bar:g} {unit}",
            ratio=f"{value / bar:.2f}",
            good=value <= bar,
            firm=firm,
        )

    def none(self, what: str, count: int, words: str = "") -> None:
        """A count that must be zero: loss, doubling, a wrong figure."""
        self.add(what, f"{count}{f' ({words})' if words else ''}", budget="0", good=count == 0, firm=True)

    @property
    def failed(self) -> bool:
        return any(row.firm and row.good is False for row in self.rows)

    def print(self) -> None:
        head = ("bench", "what", "budget", "measured", "ratio", "")
        marks = {True: "ok", False: "MISSED", None: ""}
        lines = [(r.bench, r.what, r.budget, r.measured, r.ratio, marks[r.good]) for r in self.rows]
        widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
        for line in (head, tuple("-" * width for width in widths), *lines):
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def percentile(values: list[float], share: float) -> float:
    """Of sorted values; of none: infinity, since what never came was not quick."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("inf")
