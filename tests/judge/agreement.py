"""The table: how much of what a file says Baton says too, with the counts behind each share."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

HEAD = ("set", "what", "truth", "Baton", "agrees", "simple figure")
SEPARATE = {3: ">", 2: ">", 4: ">"}


@dataclass(frozen=True)
class Row:
    of: str
    what: str
    truth: str
    said: str
    agrees: str
    simple: str


@dataclass
class Agreement:
    rows: list[Row] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def say(self, words: str) -> None:
        print(f"[{time.monotonic() - self.begun:6.1f} s] {words}", file=sys.stderr, flush=True)

    def add(self, of: str, what: str, truth: str, said: str, agrees: str = "", simple: str = "") -> None:
        self.rows.append(Row(of, what, truth, said, agrees, simple))

    def count(self, of: str, what: str, truth: int, said: int, simple: str = "") -> None:
        """Two numbers that should be the same one."""
        self.add(of, what, f"{truth:,}", f"{said:,}", "yes" if truth == said else f"{said - truth:+,}", simple)

    def share(self, of: str, what: str, right: int, asked: int, simple: str = "") -> None:
        """Of so many asked, so many are right."""
        self.add(of, what, f"{asked:,}", f"{right:,}", percent(right, asked), simple)

    def found(self, of: str, what: str, truth: Counter[Hashable], said: Counter[Hashable], simple: str = "") -> None:
        """Two bags of things: what was found of the truth (recall), and what is true of the found (precision)."""
        both = (truth & said).total()
        words = f"recall {percent(both, truth.total())}, precision {percent(both, said.total())}"
        self.add(of, what, f"{truth.total():,}", f"{said.total():,}", words, simple)

    def silent(self, of: str, what: str, truth: str, simple: str = "") -> None:
        """What the file knows and Baton does not tell yet."""
        self.add(of, what, truth, "not told", "", simple)

    def print(self) -> None:
        table = [HEAD, *((r.of, r.what, r.truth, r.said, r.agrees, r.simple) for r in self.rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
        last = ""
        for place, line in enumerate(table):
            if place == 1 or (place > 1 and line[0] != last):
                print("-" * (sum(widths) + 2 * len(widths) - 2))
            cells = (f"{text:{SEPARATE.get(i, '<')}{widths[i]}}" for i, text in enumerate(line))
            print("  ".join(cells).rstrip())
            last = line[0]


def percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def same(truth: Mapping[str, object], said: Mapping[str, object]) -> int:
    """For how many keys of the truth the same is said."""
    return sum(said.get(key) == value for key, value in truth.items())


def bag(things: Iterable[Hashable]) -> Counter[Hashable]:
    return Counter(things)
