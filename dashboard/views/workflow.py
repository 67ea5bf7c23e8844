"""`/workflows/<slug>/`: where does this process lose time, cases and people's patience?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from dashboard import coordination_words, standing
from dashboard.alone_words import Told, told
from dashboard.charts.bars import Piece, stacked
from dashboard.charts.durations import Chart, bands, histogram
from dashboard.charts.lines import Spark, spark
from dashboard.finding import Finding, foreign, say
from dashboard.period import Period, period_of
from dashboard.views.workflows import FlowRow, flow_rows
from dashboard.workflow_check import owner_words
from dashboard.workflow_states import RUN
from orchestration.control.alone import Alone
from orchestration.control.human_load import alone_of
from orchestration.control.mess_figures import figures
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.lib.templatetags.baton import duration, number, percent, plural
from orchestration.workflows import anatomy, progress, runs, stats
from orchestration.workflows.anatomy import Shared
from orchestration.workflows.declared_models import DeclaredState
from orchestration.workflows.models import Measure, Workflow
from orchestration.workflows.paces import NOTHING, Booked
from orchestration.workflows.progress import Ended, Standing, Waits
from orchestration.workflows.runs import RunLine
from orchestration.workflows.stats import StepFigure, WorkflowDetail, WorkflowLine
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

RECENT = 10
POINTS = {"1h": 12, "6h": 12, "24h": 24, "7d": 14, "30d": 30}  # of the durations over time
REGIONS = {
    "whole": "_workflow_head",
    "declared": "_workflow_declared",
    "bottlenecks": "_workflow_bottlenecks",
    "durations": "_workflow_durations",
    "funnel": "_workflow_funnel",
    "outliers": "_workflow_outliers",
}
MOST_SLOW, LITTLE = 12, 0.005  # steps among the bottlenecks, and the share below which one is left out
TONES = {"people": "human", "agent": "agent", "system": "tool"}
SHARED = {
    "asked": "asked a person",
    "failed_tool": "had a tool that failed",
    "retried": "tried a call again",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step in the order of the process."""

    step: StepFigure
    place: int
    kind: str  # agent | people | system
    funnel: list[Piece]  # runs of it that finished and that failed, of the step most often started
    lane: list[Piece]  # where its waiting and its work lie, medians laid end to end
    split: list[Piece]
    split_words: str
    trend: Spark
    worst: bool
    at_p50: float | None  # its part of the workflow's own p50, and p95
    at_p95: float | None


@dataclass
class FlowPage:
    """One workflow as its page needs it, computed as far as it is looked at."""

    request: Here
    period: Period
    detail: WorkflowDetail

    @property
    def line(self) -> WorkflowLine:
        return self.detail.line

    @property
    def finding(self) -> Finding:
        return finding(self.line, self.period.words)

    @cached_property
    def row(self) -> FlowRow:
        return flow_rows([self.line])[0]

    @cached_property
    def flow(self) -> Workflow:
        return Workflow.objects.get(workspace=self.request.workspace, pk=self.line.id)

    @property
    def target_value(self) -> str:
        """As it stands in the form."""
        target = self.flow.alone_target
        return "" if target is None else f"{target * 100:g}"

    @cached_property
    def alone(self) -> Told:
        """How much of it ended without a person, in the thirty days of the human load."""
        end = self.period.until - timedelta(seconds=1) if self.period.day else self.period.until
        known = alone_of(self.request.workspace.pk, self.line.id, end)
        return told(known or Alone(self.line.id, self.line.name, self.line.slug, 0, 0, None))

    @cached_property
    def coordination(self) -> coordination_words.Told:
        """Whether its agents are to coordinate, and what came of it."""
        return coordination_words.told(figures(self.flow, examples=False))

    @property
    def pace(self) -> Spark:
        return spark(self.detail.points, "human")

    @property
    def booked(self) -> Booked:
        return self.detail.booked

    @cached_property
    def declared(self) -> Standing | None:
        """How its runs stand that Baton coordinates; None where it was never declared."""
        return progress.standing(self.request.workspace.pk, self.line.name)

    @property
    def queues(self) -> list[tuple[str, int, datetime]]:
        found = self.declared.queues if self.declared else ()
        return [(owner_words(each.owner_kind, each.owner), each.steps, each.since) for each in found]

    @property
    def waits(self) -> list[tuple[Waits, str]]:
        found = self.declared.longest if self.declared else ()
        return [(each, owner_words(each.owner_kind, each.owner)) for each in found]

    @property
    def ended_badly(self) -> list[tuple[Ended, str, str]]:
        found = self.declared.ended if self.declared else ()
        return [(each, *RUN[DeclaredState(each.state)]) for each in found]

    @cached_property
    def steps(self) -> list[StepRow]:
        workspace, line = self.request.workspace.pk, self.line
        done = [step for step in line.steps if step.started]
        ordered = anatomy.in_order(workspace, line.id, done)
        trends = anatomy.trends(workspace, line.id, (self.period.since, self.period.until))
        return step_rows(ordered, self.booked, anatomy.owners(workspace, ordered), trends)

    @cached_property
    def slow_steps(self) -> list[StepRow]:
        """Those that take time, in the same order."""
        rank = sorted(self.steps, key=lambda row: -(row.step.share_of_elapsed or 0))[:MOST_SLOW]
        wanted = [row for row in rank if row.worst or (row.step.share_of_elapsed or 0) >= LITTLE]
        return sorted(wanted, key=lambda row: row.place)

    @cached_property
    def charts(self) -> list[tuple[str, Chart]]:
        between, points = (self.period.since, self.period.until), POINTS.get(self.period.now, 24)
        over = bands(anatomy.course(self.request.workspace.pk, self.line.id, between, points), *between)
        whole = histogram(self.booked.of(Measure.DURATION))
        titled = (("Start to finish over time, log scale", over), ("How long runs took, log scale", whole))
        return [(title, chart) for title, chart in titled if chart]

    @cached_property
    def slow(self) -> list[RunLine]:
        return anatomy.slowest(self.request.workspace.pk, self.line.slug, self.period.since)

    @cached_property
    def shared(self) -> list[str]:
        return [shared_words(each) for each in anatomy.shared(self.request.workspace.pk, self.line.id, self.slow)]

    @cached_property
    def recent(self) -> list[RunLine]:
        return runs.runs(self.request.workspace.pk, workflow=self.line.slug, limit=RECENT).items


@require_safe
@needs(MEMBER)
def detail(request: Here, slug: str) -> HttpResponse:
    period = period_of(request, "7d")
    page = flow_page(request, slug, period)
    fragments = {region: f"dashboard/{name}.html" for region, name in REGIONS.items()}
    context: dict[str, object] = {"page": page, "flow": page.line, "period": period}
    if not wanted(request):
        context["standing"] = standing.of_workflow(request, page.line.id, page.line.slug)
    return render_page_or_fragment(request, "dashboard/workflow.html", fragments, context)


def flow_page(request: Here, slug: str, period: Period) -> FlowPage:
    found = stats.workflow(request.workspace.pk, slug, period.since, period.until)
    if found is None:
        raise nothing_here(request, Workflow.objects.filter(slug=slug))
    return FlowPage(request, period, found)


def step_rows(
    steps: Sequence[StepFigure],
    booked: Booked,
    owners: Mapping[str, str],
    trends: Mapping[int, Sequence[float | None]],
) -> list[StepRow]:
    most = max((step.started for step in steps), default=0)
    worst = max(steps, key=lambda step: step.share_of_elapsed or 0, default=None)
    whole, added = booked.of(Measure.DURATION), [added_by(booked, step.id, 0.5) for step in steps]
    total = sum(wait + work for wait, work in added)
    rows, before = [], 0.0
    for place, (step, (wait, work)) in enumerate(zip(steps, added, strict=True), start=1):
        kind = owners.get(step.owner, "system")
        lane = stacked((("none", before), ("wait", wait), (TONES[kind], work)), total)
        rows.append(
            StepRow(
                step,
                place,
                kind,
                stacked((("agent", step.finished), ("fail", step.failed)), most),
                lane[before > 0 :],
                split_bar(step),
                split_words(step),
                spark(list(trends.get(step.id, ()))),
                step is worst and bool(step.share_of_elapsed),
                part_of(wait + work, whole.percentile(0.5)),
                part_of(sum(added_by(booked, step.id, 0.95)), whole.percentile(0.95)),
            )
        )
        before += wait + work
    return rows


def added_by(booked: Booked, step_id: int, q: float) -> tuple[float, float]:
    """What waiting for a step and working at it add to the q-quantile run."""
    measures, ended = booked.steps.get(step_id, {}), booked.of(Measure.DURATION).n
    wait, work = (anatomy.adds(measures.get(measure, NOTHING), q, ended) for measure in (Measure.WAIT, Measure.WORK))
    return wait, work


def part_of(ms: float, whole: float | None) -> float | None:
    return min(1.0, ms / whole) if whole else None


def split_bar(step: StepFigure) -> list[Piece]:
    split = step.split
    whole = split.wait + split.work + split.people + split.retry
    return stacked((("wait", split.wait), ("agent", split.work), ("human", split.people), ("fail", split.retry)), whole)


def split_words(step: StepFigure) -> str:
    split = step.split
    parts = (("waiting", split.wait), ("work", split.work), ("people", split.people), ("retries", split.retry))
    whole = sum(share for _, share in parts)
    return ", ".join(f"{percent(share / whole)} {words}" for words, share in parts if share) if whole else "no time"


def shared_words(each: Shared) -> str:
    what = f"had {each.name} at work" if each.what == "agent" else SHARED[each.what]
    return f"{number(each.count)} of {number(each.of)} {what}; {percent(each.usual)} of all do."


def finding(line: WorkflowLine, words: str) -> Finding:
    """What a person would say about this process: mostly waiting, mostly one step, or how long it takes."""
    name = foreign(line.name)
    if not line.runs:
        return Finding(say(name, " ended no run in ", words), say(_progress(line)))
    ended = plural(line.runs, "finished run,finished runs")
    how = f"Of {ended}, {_count(line.failed)} failed and {_count(line.escalated)} asked a person. "
    lede = say(how, _progress(line))
    if line.slowest and line.slowest.share_of_elapsed:
        takes = f" takes {percent(line.slowest.share_of_elapsed)} of the elapsed time."
        lede = say(*lede, " ", foreign(line.slowest.name), takes)
    if line.shares and line.shares.waiting >= 0.5:
        return Finding(say(f"{percent(line.shares.waiting)} of ", name, " is waiting"), lede)
    return Finding(say(name, f" takes {duration(line.p50_ms)}, nine in ten end within {duration(line.p90_ms)}"), lede)


def _count(runs: int) -> str:
    return number(runs) if runs else "none"


def _progress(line: WorkflowLine) -> str:
    if not line.in_progress:
        return "None is in progress."
    return f"{number(line.in_progress)} in progress" + (f", {number(line.waiting)} waiting." if line.waiting else ".")
