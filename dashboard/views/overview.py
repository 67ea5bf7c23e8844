"""`/`: is work flowing? The five answers, what they come down to in words, and where time goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.answers import Answer, answers, worst_of
from dashboard.finding import Finding, Part, foreign, say
from dashboard.period import Period, period_of
from dashboard.views.workflows import FlowRow, flow_rows
from orchestration.control.overview import Overview, overview
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.lib.templatetags.baton import ENOUGH, duration, number, percent, plural, rate
from orchestration.workflows import stats
from orchestration.workspaces.current import MEMBER, Here, needs

LATE_MS = 30_000.0  # data this old when it is shown is said to be old
FAILS = 0.1  # a lower bound of the failure rate above this is a finding
SLOWER = 2.0


@dataclass
class OverviewPage:
    """What the page shows, computed only as far as it is looked at: a region asks for itself alone."""

    request: Here
    period: Period

    @cached_property
    def figures(self) -> Overview:
        return overview(self.request.workspace.pk, self.period.window, self.period.until)

    @cached_property
    def finding(self) -> Finding:
        return finding(self.figures, self.period.words)

    @cached_property
    def answers(self) -> list[Answer]:
        return answers(self.figures, self.period.text)

    @cached_property
    def flows(self) -> list[FlowRow]:
        if wanted(self.request) == "flows":
            rows = stats.workflows(self.request.workspace.pk, self.period.since, self.period.until)
        else:
            rows = self.figures.workflows
        return flow_rows(sorted(rows, key=lambda row: (-row.in_progress, -row.runs, row.name))[:10])

    @cached_property
    def new(self) -> bool:
        """Nothing has ever come: there is nobody to show and nothing ran."""
        return self.figures.agents.all == 0 and self.figures.runs_in_progress == 0 and self.figures.runs_ended.runs == 0


@require_safe
@needs(MEMBER)
def page(request: Here) -> HttpResponse:
    shown = OverviewPage(request, period_of(request))
    if wanted(request) == "first-steps" and not shown.new:
        return HttpResponse(headers={"HX-Refresh": "true"})
    fragments = {
        "answers": "dashboard/_overview_answers.html",
        "flows": "dashboard/_overview_flows.html",
        "first-steps": "parts/exporter.html",
    }
    context = {"page": shown, "period": shown.period, "address": address(request)}
    return render_page_or_fragment(request, "dashboard/overview.html", fragments, context)


def address(request: HttpRequest) -> str:
    """Where exporters send to: the address people use, as configured, else the one of this request."""
    public = getattr(settings, "PUBLIC_URL", None)
    return public.geturl().rstrip("/") if public else request.build_absolute_uri("/").rstrip("/")


def finding(now: Overview, words: str) -> Finding:
    """The first branch that holds. Order: what stops work, what is not to be relied on, what fails, what is slow."""
    for branch in (_stopped, _behind, _silent, _failing, _slower):
        if found := branch(now):
            return Finding(found, _lede(now, words))
    return Finding(_well(now, words), _lede(now, words))


def _stopped(now: Overview) -> tuple[Part, ...] | None:
    stopped = now.agents.quarantined
    if not stopped:
        return None
    return say(
        Part(plural(stopped, "agent,agents"), _agents("quarantined")), " is" if stopped == 1 else " are", " quarantined"
    )


def _behind(now: Overview) -> tuple[Part, ...] | None:
    lag = now.spans.lag_ms or 0.0
    if lag < LATE_MS:
        return None
    return say("Figures are ", Part(duration(lag), reverse("dashboard:health")), " behind what agents have sent")


def _silent(now: Overview) -> tuple[Part, ...] | None:
    silent = now.agents.silent
    if not silent:
        return None
    return say(Part(plural(silent, "agent,agents"), _agents("silent")), " fell silent in the middle of a run")


def _failing(now: Overview) -> tuple[Part, ...] | None:
    worst = worst_of(now)
    if worst is None or worst.calls < ENOUGH or worst.interval[0] < FAILS:
        return None
    link = reverse("dashboard:agent", args=[worst.slug])
    return say(foreign(worst.agent, link), " fails ", Part(percent(worst.failure_rate), link), " of its calls")


def _slower(now: Overview) -> tuple[Part, ...] | None:
    before, after = now.before, now.runs_ended
    if before is None or not before.p50_ms or after.p50_ms is None or min(before.runs, after.runs) < ENOUGH:
        return None
    if after.p50_ms < SLOWER * before.p50_ms:
        return None
    return say(
        "Runs take ",
        Part(duration(after.p50_ms), reverse("dashboard:workflows")),
        f", {duration(before.p50_ms)} before",
    )


def _well(now: Overview, words: str) -> tuple[Part, ...]:
    if now.runs_in_progress:
        runs = Part(plural(now.runs_in_progress, "run,runs"), f"{reverse('dashboard:runs')}?status=in_progress")
        return say(runs, f" in progress, {_on_people(now.holds.open)}")
    if now.runs_ended.runs:
        runs = Part(plural(now.runs_ended.runs, "run,runs"), reverse("dashboard:runs"))
        return say("Nothing is running; ", runs, f" ended in {words}")
    return say(f"Nothing ran in {words}")


def _on_people(holds: int) -> str:
    if not holds:
        return "nothing waits on you"
    return "1 question waits for a person" if holds == 1 else f"{number(holds)} questions wait for people"


def _lede(now: Overview, words: str) -> tuple[Part, ...]:
    """At most three sentences: how runs ended, where time goes, who fails."""
    return say(*_ended(now, words), *_slowest(now), *_fails(now))


def _ended(now: Overview, words: str) -> Iterator[str | Part]:
    if ended := now.runs_ended.runs:
        yield f"{plural(ended, 'run,runs')} ended in {words}"
        if failed := now.runs_ended.failed:
            yield ", "
            yield Part(f"{number(failed)} of them failed", f"{reverse('dashboard:runs')}?status=failed")
        yield ". "


def _slowest(now: Overview) -> Iterator[str | Part]:
    if now.bottlenecks:
        worst = now.bottlenecks[0]
        yield "In "
        yield foreign(worst.workflow, reverse("dashboard:workflow", args=[worst.slug]))
        yield ", "
        yield foreign(worst.step)
        yield f" takes {percent(worst.share_of_elapsed)} of the elapsed time. "


def _fails(now: Overview) -> Iterator[str | Part]:
    worst = worst_of(now)
    if worst and worst.failures:
        yield foreign(worst.agent, reverse("dashboard:agent", args=[worst.slug]))
        yield f" fails most often, {rate(worst.failures, worst.calls)}"
        yield f" of {number(worst.calls)} calls." if worst.calls >= ENOUGH else " calls."


def _agents(state: str) -> str:
    return f"{reverse('dashboard:agents')}?state={state}"
