"""How much of a workflow ended without a person, against what is wanted, in words: the overview and the workflow's own
page say it alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.control.alone import Alone
from orchestration.control.human_load import DAYS
from orchestration.lib.stats import ENOUGH
from orchestration.lib.templatetags.baton import interval, number, percent, plural

MOST = 4  # workflows in the overview's panel
STATES = {
    "none": ("No target", "line"),
    "few": ("Not enough data", "line"),
    "met": ("Target met", "ok"),
    "missed": ("Below target", "crit"),
    "open": ("May be either", "line"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """`pill`: whether the target is met, as a word with its tone."""

    of: Alone

    @property
    def value(self) -> str:
        """The share; the bare count where there are too few runs."""
        return percent(self.of.share) if self.of.share is not None else f"{number(self.of.alone)} of {self.of.runs}"

    @property
    def target(self) -> str:
        return "" if self.of.target is None else f"{self.of.target * 100:g}%"

    @property
    def sized(self) -> str:
        runs = f"{number(self.of.alone)} of {plural(self.of.runs, 'run,runs')} in {DAYS} days"
        bounds = self.of.interval
        return f"{runs}; 95%: {interval(bounds)}" if bounds else f"{runs}; {ENOUGH} are needed for a share"

    @property
    def word(self) -> str:
        """The same in one word, beside the target."""
        return {"met": "met", "missed": "missed", "open": "close"}.get(self.of.state, "too few")

    @property
    def pill(self) -> tuple[str, str]:
        return STATES[self.of.state]


def told(of: Alone) -> Told:
    return Told(of)


@dataclass(frozen=True, slots=True)
class Against:
    """What the overview shows: those with a target, the farthest below first."""

    lines: list[Told]
    wanted: int
    missed: int

    @property
    def words(self) -> str:
        below = f"{number(self.missed)} of {plural(self.wanted, 'target,targets')} missed"
        return below if self.missed else f"None of {plural(self.wanted, 'target,targets')} is missed"


def against(found: Sequence[Alone]) -> Against:
    wanted = [each for each in found if each.target is not None]
    missed = sum(each.state == "missed" for each in wanted)
    return Against([told(each) for each in wanted[:MOST]], len(wanted), missed)
