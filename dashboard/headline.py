"""What the overview says in words: the finding, and below it whether it works, what fails, and what has changed."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from django.utils import timezone

from dashboard.finding import Finding, Part, foreign, say
from dashboard.links import Links
from dashboard.period import Period, day_words, range_over
from orchestration.control.human_load import HumanLoad
from orchestration.control.overview import FailingAgent, Overview
from orchestration.lib.stats import ENOUGH, wilson
from orchestration.lib.templatetags.baton import duration, number, percent, plural
from orchestration.workflows.extent import Extent
from orchestration.workflows.stats import WorkflowLine

LATE_MS = 30_000.0  # data this old when it is shown is said to be old
FAILS = 0.1  # a lower bound of the failure rate above this is a finding
MANY = 10  # runs that wait for a person, before that is the finding
CHANGED = 0.2  # a median or a count has changed by at least so much, or it is not told

Words = tuple[Part, ...]


def headline(now: Overview, period: Period, load: HumanLoad | None = None) -> Finding:
    """The first branch that holds. Order: what stops work, what people cannot bear, what is not to be relied on, what
    is still, what fails, who waits, what is slow."""
    to = Links(period.text)
    if load and load.exceeded and not now.agents.quarantined:
        return Finding(_exceeded(load), lede(now, period))
    for branch in (_stopped, _behind, _silent, _failing, _asked, _slower):
        if found := branch(now, to):
            return Finding(found, lede(now, period))
    return Finding(_well(now, period, to), lede(now, period))


def look_back(known: Extent, period: Period) -> Finding:
    """Nothing ran lately: what there is instead, and the way to it."""
    first, last = (timezone.localtime(each).date() for each in (known.first, known.last))
    then, to = range_over(known.first, known.last), Links(period.text)
    until = Part(f"the time until {day_words(last)}", f"?range={then}")
    all_runs = Part("all runs", to.runs_now())
    ways = say("Look at ", until, " or at ", all_runs, ". What comes in live shows here by itself.")
    if not known.imported:
        return Finding(say(f"Nothing ran in {period.words}"), say(f"The last run ended on {day_words(last)}. ", *ways))
    between = f"from {day_words(first)} to {day_words(last)}" if first < last else f"of {day_words(last)}"
    return Finding(say(f"Imported data {between}; nothing live yet"), ways)


def _stopped(now: Overview, to: Links) -> Words | None:
    stopped = now.agents.quarantined
    if not stopped:
        return None
    agents = Part(plural(stopped, "agent,agents"), to.agents(state="quarantined"))
    return say(agents, " is quarantined" if stopped == 1 else " are quarantined")


def _exceeded(load: HumanLoad) -> Words:
    """Days in a row on which more was asked than reviewers can decide."""
    return say("Tickets exceed reviewer capacity by ", Part(f"{number(load.over_a_day)} a day", "#load", tone="crit"))


def _behind(now: Overview, to: Links) -> Words | None:
    lag = now.spans.lag_ms or 0.0
    if lag < LATE_MS:
        return None
    return say("Figures are ", Part(duration(lag), to.health()), " behind what agents have sent")


def _silent(now: Overview, to: Links) -> Words | None:
    silent = now.agents.silent
    if not silent:
        return None
    agents = Part(plural(silent, "agent,agents"), to.agents(state="silent"))
    return say(agents, " fell silent, for longer than is usual for ", "it" if silent == 1 else "them")


def _failing(now: Overview, to: Links) -> Words | None:
    worst = worst_of(now)
    if worst is None or worst.calls < ENOUGH or worst.interval[0] < FAILS:
        return None
    link = to.agent(worst.slug)
    return say(foreign(worst.agent, link), " fails ", Part(percent(worst.failure_rate), link), " of its calls")


def _asked(now: Overview, to: Links) -> Words | None:
    if now.runs_waiting <= MANY:
        return None
    runs = Part(plural(now.runs_waiting, "run,runs"), to.runs_now(status="waiting"))
    cases = Part(plural(now.holds.cases, "case,cases"), to.inbox())
    return (
        say(runs, " wait for a person, ", cases, " in the inbox")
        if now.holds.cases
        else say(runs, " wait for a person")
    )


def _slower(now: Overview, to: Links) -> Words | None:
    if now.before is None or not now.before.slower:
        return None
    most = now.before.slower[0]
    link = to.workflow(most.slug)
    return say(
        foreign(most.workflow, link),
        " takes ",
        Part(duration(most.p90_ms), link),
        " for nine in ten, ",
        Part(duration(most.before_ms), link),
        " before",
    )


def _well(now: Overview, period: Period, to: Links) -> Words:
    if now.runs_in_progress:
        runs = Part(
            plural(now.runs_in_progress, "workflow,workflows"),
            to.runs_now(status="in_progress"),
        )
        return say(runs, " in progress, ", *_on_people(now, to))
    if now.runs_ended.runs:
        runs = Part(plural(now.runs_ended.runs, "run,runs"), to.runs())
        return say("Nothing is running; ", runs, f" ended in {period.words}")
    return say(f"Nothing ran in {period.words}")


def _on_people(now: Overview, to: Links) -> Iterator[str | Part]:
    if not now.runs_waiting:
        yield "nothing waits on you"
        return
    yield Part(number(now.runs_waiting), to.runs_now(status="waiting"))
    yield " waits for a person" if now.runs_waiting == 1 else " wait for a person"


def lede(now: Overview, period: Period) -> Words:
    """Three sentences: is it working, what fails, what has changed."""
    to = Links(period.text)
    return say(*_working(now, period, to), *_fails(now, to), *_changed(now, period, to))


def _working(now: Overview, period: Period, to: Links) -> Iterator[str | Part]:
    active, known = now.active_agents, now.agents.all
    who = f"All {number(known)} agents" if active == known and known > 1 else f"{number(active)} of {number(known)}"
    agents = who if who.startswith("All") else f"{who} {'agent' if known == 1 else 'agents'}"
    yield Part(agents, to.agents())
    yield f" {'is' if active == 1 else 'are'} at work"
    if ended := now.runs_ended.runs:
        yield " and "
        yield Part(plural(ended, "run,runs"), to.runs())
        yield f" ended in {period.words}"
    else:
        yield f"; no run ended in {period.words}"
    yield ". "


def _fails(now: Overview, to: Links) -> Iterator[str | Part]:
    """Which runs fail, most of them where, and which agent's calls."""
    failed, ended = now.runs_ended.failed, now.runs_ended.runs
    worst = worst_of(now)
    if failed:
        share = f" ({percent(failed / ended)})" if ended >= ENOUGH else ""
        yield Part(f"{number(failed)}{share}", to.runs(status="failed"))
        yield " of them failed"
        if flow := _fails_most(now.workflows):
            yield ", most in "
            yield foreign(flow.name, to.workflow(flow.slug))
        yield ". "
    elif ended:
        yield "None of them failed. "
    if worst and worst.failures:
        yield foreign(worst.agent, to.agent(worst.slug))
        yield " fails most often, "
        rate = percent(worst.failure_rate) if worst.calls >= ENOUGH else number(worst.failures)
        yield Part(f"{rate} of {number(worst.calls)}", to.agent(worst.slug))
        yield " calls. "


def _fails_most(lines: list[WorkflowLine]) -> WorkflowLine | None:
    """The workflow with most failed runs, where there are several."""
    failing = sorted((line for line in lines if line.failed), key=lambda line: (-line.failed, line.name))
    return failing[0] if len(lines) > 1 and failing else None


def _changed(now: Overview, period: Period, to: Links) -> Iterator[str | Part]:
    if now.before is None:
        yield period.nothing_then
        return
    changes = list(changes_of(now, to))
    if not changes:
        yield f"{period.since_then} nothing has changed to speak of."
        return
    yield f"{period.since_then} "
    for place, change in enumerate(changes):
        if place:
            yield " and " if place == len(changes) - 1 else ", "
        yield from change
    yield "."


def changes_of(now: Overview, to: Links) -> Iterator[Words]:
    """What has changed by more than chance explains: how many runs ended, how many of them failed, how long they
    take."""
    was, ended = now.before, now.runs_ended
    if was is None:
        return
    if was.runs and differs(ended.runs, was.runs):
        more = ended.runs / was.runs - 1
        words = f"{percent(abs(more))} more" if more < 1 else f"{ended.runs / was.runs:.1f} times as many"
        words = words if more > 0 else f"{percent(abs(more))} fewer"
        yield say(Part(words, to.runs()), " runs ended")
    if apart(ended.failed, ended.runs, was.failed, was.runs):
        rate, before = ended.failed / ended.runs, was.failed / was.runs
        yield say(
            "runs fail more often, " if rate > before else "runs fail less often, ",
            Part(percent(rate), to.runs(status="failed")),
            f" instead of {percent(before)}",
        )
    if min(ended.runs, was.runs) < ENOUGH or not ended.p50_ms or not was.p50_ms:
        return
    if abs(ended.p50_ms / was.p50_ms - 1) >= CHANGED:
        median = Part(duration(ended.p50_ms), to.workflows())
        yield say("the median run takes ", median, f" instead of {duration(was.p50_ms)}")


def differs(count: int, before: int) -> bool:
    """Whether two counts differ by a fifth, and by more than twice what counting alone makes them differ."""
    return abs(count - before) >= CHANGED * before and abs(count - before) > 2 * sqrt(count + before)


def apart(failed: int, runs: int, failed_before: int, before: int) -> bool:
    """Whether two shares of enough runs have intervals that do not meet."""
    now, then = wilson(failed, runs), wilson(failed_before, before)
    if now is None or then is None or min(runs, before) < ENOUGH:
        return False
    return now[0] > then[1] or then[0] > now[1]


def worst_of(now: Overview) -> FailingAgent | None:
    return now.failing_agents[0] if now.failing_agents else None
