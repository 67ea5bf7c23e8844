"""The five tiles of the overview: who is at work, what is in progress, what is slow, what fails, how long it takes."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from dashboard.charts.lines import Spark, spark
from dashboard.finding import Part, foreign, say
from orchestration.control.overview import FailingAgent, Overview
from orchestration.lib.templatetags.baton import ENOUGH, NO_VALUE, duration, number, rate

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the five: a figure, what it is about, and where it leads."""

    label: str
    value: str
    small: str
    support: tuple[Part, ...]
    href: str
    spark: Spark
    delta: str = ""
    better: bool = False


def answers(now: Overview, range_text: str) -> list[Answer]:
    """The five tiles, in the order of the questions."""
    return [_at_work(now), _in_progress(now), _bottleneck(now, range_text), _failures(now), _durations(now, range_text)]


def _at_work(now: Overview) -> Answer:
    counts = now.agents
    rest = {"quarantined": counts.quarantined, "silent": counts.silent, "held": counts.held, "idle": counts.idle}
    words = [f"{number(count)} {state}" for state, count in rest.items() if count]
    return Answer(
        "Agents active",
        number(now.active_agents),
        f"of {number(counts.all)}",
        say(", ".join(words[:3]) or "all at work" if counts.all else "none seen yet"),
        reverse("dashboard:agents"),
        spark(now.points.agents),
    )


def _in_progress(now: Overview) -> Answer:
    waiting, ended = now.runs_waiting, now.runs_ended.runs
    return Answer(
        "Workflows in progress",
        number(now.runs_in_progress),
        "",
        say(f"{number(waiting)} waiting, " if waiting else "", f"{number(ended)} ended"),
        f"{reverse('dashboard:runs')}?status=in_progress",
        spark(now.points.ended),
    )


def _bottleneck(now: Overview, range_text: str) -> Answer:
    tone = spark(now.points.wait_ms, "human")
    if not now.bottlenecks:
        return Answer(
            "Worst bottleneck", NO_VALUE, "", say("no finished run yet"), reverse("dashboard:workflows"), tone
        )
    worst = now.bottlenecks[0]
    waits = (worst.wait_p95_ms or 0) >= (worst.work_p95_ms or 0)
    return Answer(
        "Worst bottleneck",
        duration(worst.wait_p95_ms if waits else worst.work_p95_ms),
        "",
        say("p95 wait, " if waits else "p95 work, ", foreign(worst.step)),
        f"{reverse('dashboard:workflow', args=[worst.slug])}?range={range_text}",
        tone,
    )


def _failures(now: Overview) -> Answer:
    tone, worst = spark(now.points.failure_rate, "fail"), worst_of(now)
    if worst is None or not worst.failures:
        return Answer("Fails most often", NO_VALUE, "", say("no failed call"), reverse("dashboard:agents"), tone)
    before = now.before.failure_rate if now.before and (now.before.calls or 0) >= ENOUGH else None
    change = None if before is None or worst.calls < ENOUGH else (worst.failure_rate - before) * 100
    return Answer(
        "Fails most often",
        rate(worst.failures, worst.calls),
        "",
        say(foreign(worst.agent), ", " if worst.application else "", foreign(worst.application)),
        reverse("dashboard:agent", args=[worst.slug]),
        tone,
        delta=signed(change, 0.1, ".1f", " pt"),
        better=change is not None and change < 0,
    )


def _durations(now: Overview, range_text: str) -> Answer:
    ended, before = now.runs_ended, now.before
    change = None
    if ended.p50_ms and before and before.p50_ms and min(before.runs, ended.runs) >= ENOUGH:
        change = 100 * (ended.p50_ms / before.p50_ms - 1)
    return Answer(
        "Start to finish, median",
        duration(ended.p50_ms),
        "",
        say(f"p90 {duration(ended.p90_ms)}" if ended.p90_ms is not None else "no finished run yet"),
        f"{reverse('dashboard:workflows')}?range={range_text}",
        spark(now.points.p50_ms),
        delta=signed(change, 1, ".0f", "%"),
        better=change is not None and change < 0,
    )


def signed(change: float | None, least: float, form: str, unit: str) -> str:
    """A change with its sign, as in +6.1 pt; nothing where nothing has changed to speak of."""
    if change is None or abs(change) < least:
        return ""
    return f"{'+' if change > 0 else MINUS}{abs(change):{form}}{unit}"


def worst_of(now: Overview) -> FailingAgent | None:
    return now.failing_agents[0] if now.failing_agents else None
