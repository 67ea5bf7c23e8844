"""The figures above the chart of human load, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from dashboard.charts.load import day_text
from orchestration.control.human_load import DAYS, HumanLoad
from orchestration.control.overrun import ENOUGH_DAYS
from orchestration.holds import capacity
from orchestration.lib.templatetags.baton import duration, interval, number, rate


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str
    tone: str = ""
    title: str = ""
    note: str = ""  # said in place of a figure
    link: bool = False  # to where capacity is set


@dataclass(frozen=True, slots=True)
class LoadFacts:
    facts: list[Fact]
    alarm: str


def load_facts(load: HumanLoad) -> LoadFacts:
    """Beside what is asked on the last day."""
    facts = [_over(load), _unchanged(load), _time(load), _overrun(load)]
    return LoadFacts(facts, " ".join(_alarm(load)))


def _over(load: HumanLoad) -> Fact:
    known, over = load.capacity, load.over_a_day
    if known is None or not known.people:
        return Fact("Capacity", "", note="Capacity is not set", link=True)
    if over is None:
        few = f"Cases whose time was measured: {known.measured} of {capacity.ENOUGH} needed"
        return Fact("Capacity", "", note="Not enough data", title=few)
    lately = "Mean of the last three finished days against what reviewers can decide"
    if over > 0:
        return Fact("Over capacity", f"{number(over)} a day", "crit", lately)
    return Fact("Room left", f"{number(-over)} a day", "", lately)


def _unchanged(load: HumanLoad) -> Fact:
    if not load.answered:
        return Fact("Approved unchanged", "", note="No verdict yet")
    sure = f"{load.unchanged:,} of {load.answered:,} in {DAYS} days; 95%: {interval(load.unchanged_interval)}"
    return Fact("Approved unchanged", rate(load.unchanged, load.answered), "human", sure)


def _time(load: HumanLoad) -> Fact:
    known = load.capacity
    if known is None or known.case_seconds is None:
        return Fact("Time on one, median", "", note="Not measured yet")
    return Fact("Time on one, median", duration(known.case_seconds * 1000), "", f"Of {known.measured:,} cases")


def _overrun(load: HumanLoad) -> Fact:
    name, found = "Queue overruns", load.overrun
    if found.state == "unknown":
        few = len(load.known) < ENOUGH_DAYS
        title = f"{len(load.known)} of {ENOUGH_DAYS} days needed" if few else "Nobody's capacity is known"
        return Fact(name, "", note="Not enough data", title=title)
    if found.state == "over":
        return Fact(name, "Now", "crit", "More is asked in a week than reviewers can decide")
    if found.day is None:
        return Fact(name, "Not in sight", "", "Not within half a year, by the trend of these days")
    early = day_text(found.earliest) if found.earliest else day_text(found.day)
    return Fact(name, day_text(found.day), "human", f"95%: {early} to {_late(found.latest)}")


def _late(day: date | None) -> str:
    return day_text(day) if day else "never"


def _alarm(load: HumanLoad) -> Iterator[str]:
    if load.grew and load.growth is not None:
        now, then = load.weeks
        by = f"{load.growth:.0%} more" if load.growth < 1 else f"{now / then:.1f} times as many"
        yield f"{by} in four weeks: {now:,} in the last seven days instead of {then:,}."
