"""What came of telling agents to coordinate, in words. The page and the panel of a workflow say it alike."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from dashboard.finding import Finding, foreign, say
from orchestration.control.mess_figures import Compared, Coordinated, Side
from orchestration.lib.stats import ENOUGH
from orchestration.lib.templatetags.baton import day_and_clock, duration, number, plural

_NOUNS = {
    "looked": "repeated look-up,repeated look-ups",
    "asked": "clashing request to the customer,clashing requests to the customer",
    "timed_out": "time-out,time-outs",
    "differed": "differing amount,differing amounts",
}


@dataclass(frozen=True, slots=True)
class Cell:
    count: str
    runs: str  # in how many runs
    rate: str
    examples: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """`tone`: ok (surely less), crit (surely more) or none."""

    kind: str
    name: str
    counts: str
    cells: tuple[Cell, Cell]
    change: str
    tone: str


@dataclass(frozen=True, slots=True)
class Told:
    found: Coordinated
    finding: Finding
    rows: list[Row]

    @property
    def pill(self) -> tuple[str, str]:
        if self.found.state == "off":
            return "Never switched on", "line"
        return ("On", "ok") if self.found.on else ("Switched off", "line")

    @property
    def short(self) -> str:
        return self.finding.words


def told(found: Coordinated) -> Told:
    return Told(found, finding(found), [row(each) for each in found.kinds])


def finding(found: Coordinated) -> Finding:
    """What changed most, in one sentence."""
    if found.state == "off":
        lede = "Switched on, they are told so in the context of their run. Baton then counts what came of it."
        return Finding(say("Agents of ", foreign(found.workflow), " are not told to coordinate"), say(lede))
    when = f"Since coordination was switched on at {day_and_clock(found.since)}"
    if not found.on:
        when = f"While coordination was on, from {day_and_clock(found.since)} to {day_and_clock(found.until)}"
    before, after = found.runs
    if not after:
        left = _left(found.left) or "Runs are counted when they are over."
        return Finding(say(f"{when}, no run that began has been counted"), say(left))
    most = max(found.kinds, key=lambda each: (each.before.count, each.after.count))
    now = f"{plural(most.after.count, _NOUNS[most.kind])} in {plural(after, 'run,runs')}"
    was = f"before {number(most.before.count)} in {number(before)}" if before else "none was counted before"
    return Finding(say(f"{when}: {now}; {was}"), say(_lede(found, most)))


def _lede(found: Coordinated, most: Compared) -> str:
    others = [
        f"{_NOUNS[each.kind].split(',')[1]} {number(each.before.count)} before, {number(each.after.count)} since"
        for each in found.kinds
        if each is not most
    ]
    few = f"Rates are told from {ENOUGH} runs a side on. " if found.state == "few" else ""
    lost = f"Repeated look-ups took {duration(found.lost_ms[0])} before, {duration(found.lost_ms[1])} since. "
    words = "; ".join(others)
    return f"{words[:1].upper()}{words[1:]}. {lost}{few}{_left(found.left)}".strip()


def _left(runs: int) -> str:
    return f"{plural(runs, 'more run is,more runs are')} over and still to be counted." if runs else ""


def row(of: Compared) -> Row:
    change, tone = "not enough data", ""
    if of.difference is not None:
        by, low, high = of.difference
        change = f"{signed(by)} ({signed(low)} to {signed(high)})"
        tone = "ok" if high < 0 else "crit" if low > 0 else ""
    return Row(of.kind, of.name, of.counts, (cell(of.before), cell(of.after)), change, tone)


def cell(side: Side) -> Cell:
    rate = "not enough data"
    if side.per_100 is not None and side.interval is not None:
        low, high = (100 * bound for bound in side.interval)
        rate = f"{side.per_100:.1f} of 100 ({low:.1f} to {high:.1f})"
    runs = f"in {number(side.hit)} of {plural(side.runs, 'run,runs')}" if side.runs else "no run is counted yet"
    return Cell(number(side.count), runs, rate if side.runs else "", side.examples)


def signed(value: float) -> str:
    """With a sign that reads as one, and nothing that is almost nothing."""
    text = f"{abs(value):.1f}"
    return "0" if text == "0.0" else f"{'−' if value < 0 else '+'}{text}"  # noqa: RUF001  a true minus
