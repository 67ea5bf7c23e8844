"""The five tiles of the overview: who is at work, what is in progress, what is slow, what fails, how long it takes."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.charts.lines import Spark, spark
from dashboard.finding import Part, foreign, say
from dashboard.headline import worst_of
from dashboard.links import Links
from orchestration.control.overview import Overview
from orchestration.lib.stats import ENOUGH
from orchestration.lib.templatetags.baton import NO_VALUE, duration, interval, number, percent, plural, rate
from orchestration.workflows.fold_times import PEOPLE
from orchestration.workflows.stats import Bottleneck

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the five: a figure, what it is about, and where it leads. `title` carries the size of a claim."""

    label: str
    value: str
    small: str
    support: tuple[Part, ...]
    href: str
    spark: Spark
    delta: str = ""
    better: bool = False
    title: str = ""


def answers(now: Overview, range_text: str) -> list[Answer]:
    """The five tiles, in the order of the questions."""
    to = Links(range_text)
    return [_at_work(now, to), _in_progress(now, to), _bottleneck(now, to), _failures(now, to), _durations(now, to)]


def _at_work(now: Overview, to: Links) -> Answer:
    counts = now.agents
    rest = {"quarantined": counts.quarantined, "silent": counts.silent, "held": counts.held, "idle": counts.idle}
    words = [f"{number(count)} {state}" for state, count in rest.items() if count]
    return Answer(
        "Agents active",
        number(now.active_agents),
        f"of {number(counts.all)}",
        say(", ".join(words[:2]) or "all at work" if counts.all else "none seen yet"),
        to.agents(),
        spark(now.points.agents),
        title=f"{number(counts.working)} working, {number(counts.waiting)} waiting, {number(counts.held)} held",
    )


def _in_progress(now: Overview, to: Links) -> Answer:
    asked, ended = now.runs_waiting, now.runs_ended.runs
    seen = f"{number(asked)} seen to wait in what they sent; {plural(now.holds.cases, 'case,cases')} in the inbox"
    waits = say(Part(number(asked), tone="human"), " waiting for a human")
    return Answer(
        "Workflows in progress",
        number(now.runs_in_progress),
        "",
        waits if asked else say(f"none waiting, {number(ended)} ended"),
        to.runs_now(status="in_progress"),
        spark(now.points.in_progress),
        title=f"{plural(ended, 'run,runs')} ended. {seen}",
    )


def _bottleneck(now: Overview, to: Links) -> Answer:
    label = "Worst bottleneck"
    if not now.bottlenecks:
        return Answer(
            label, NO_VALUE, "", say("no finished run yet"), to.workflows(), spark(now.points.wait_ms, "mute")
        )
    worst = now.bottlenecks[0]
    return Answer(
        label,
        duration(worst.p95_ms),
        "",
        say(foreign(worst.step), f", {_spent(worst)} p95"),
        to.workflow(worst.slug),
        spark(now.points.wait_ms, tone_of(worst)),
        title=_split_words(worst),
    )


def _spent(slow: Bottleneck) -> str:
    if slow.owner == PEOPLE:
        return "waiting for people" if slow.waits else "with people"
    return "waiting" if slow.waits else "working"


def _split_words(slow: Bottleneck) -> str:
    """43% of the elapsed time of its workflow: 30% waiting, 13% working"""
    split = slow.split
    parts = {"waiting": split.wait, "working": split.work, "with people": split.people, "trying again": split.retry}
    told = ", ".join(f"{percent(part)} {words}" for words, part in parts.items() if part)
    return f"{percent(slow.share_of_elapsed)} of the elapsed time of its workflow" + (f": {told}" if told else "")


def tone_of(slow: Bottleneck) -> str:
    """Whose time it is: marigold for people, blue for agents at work, grey for waiting."""
    if slow.owner == PEOPLE:
        return "human"
    return "mute" if slow.waits else "agent"


def _failures(now: Overview, to: Links) -> Answer:
    tone, worst = spark(now.points.failure_rate, "fail"), worst_of(now)
    if worst is None or not worst.failures:
        return Answer("Fails most often", NO_VALUE, "", say("no failed call"), to.agents(), tone)
    before = now.before.failure_rate if now.before and (now.before.calls or 0) >= ENOUGH else None
    change = None if before is None or worst.calls < ENOUGH else (worst.failure_rate - before) * 100
    return Answer(
        "Fails most often",
        rate(worst.failures, worst.calls),
        "",
        say(foreign(worst.agent)),
        to.agent(worst.slug),
        tone,
        delta=signed(change, 0.1, ".1f", " pt"),
        better=change is not None and change < 0,
        title=f"{number(worst.failures)} of {number(worst.calls)} calls, 95% interval {interval(worst.interval)}",
    )


def _durations(now: Overview, to: Links) -> Answer:
    ended, before = now.runs_ended, now.before
    change = None
    if ended.p50_ms and before and before.p50_ms and min(before.runs, ended.runs) >= ENOUGH:
        change = 100 * (ended.p50_ms / before.p50_ms - 1)
    return Answer(
        "Start to finish, median",
        duration(ended.p50_ms),
        "",
        say(f"p90 {duration(ended.p90_ms)}" if ended.p90_ms is not None else "no finished run yet"),
        to.workflows(),
        spark(now.points.p50_ms),
        delta=signed(change, 1, ".0f", "%"),
        better=change is not None and change < 0,
        title=f"{plural(ended.runs, 'run,runs')} ended",
    )


def signed(change: float | None, least: float, form: str, unit: str) -> str:
    """A change with its sign, as in +6.1 pt; nothing where nothing has changed to speak of."""
    if change is None or abs(change) < least:
        return ""
    return f"{'+' if change > 0 else MINUS}{abs(change):{form}}{unit}"
