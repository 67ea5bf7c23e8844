"""`/workflows/` and one of them: where does this process lose time and cases?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from dashboard.charts.bars import LogScale, Piece, Whisker, shares_bar, stacked
from dashboard.charts.lines import Spark, spark
from dashboard.finding import Finding, foreign, say
from dashboard.period import period_of
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.stats import wilson
from orchestration.lib.templatetags.baton import ENOUGH, duration, interval, number, percent, plural
from orchestration.workflows import runs, stats
from orchestration.workflows.models import Workflow
from orchestration.workflows.stats import Shares, StepFigure, WorkflowDetail, WorkflowLine
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

RECENT = 10
MUCH_ASKED, MUCH_FAILED = 0.3, 0.05  # shares of runs that stand out


@dataclass(frozen=True, slots=True)
class FlowRow:
    line: WorkflowLine
    bar: list[Piece]
    bar_words: str
    whisker: Whisker | None

    @property
    def asked_words(self) -> str:
        """How large the claim is: the count, and where there are enough runs its interval."""
        return sized(self.line.escalated, self.line.runs)

    @property
    def failed_words(self) -> str:
        return sized(self.line.failed, self.line.runs)

    @property
    def asks_much(self) -> bool:
        return surely(self.line.escalated, self.line.runs, MUCH_ASKED)

    @property
    def fails_much(self) -> bool:
        return surely(self.line.failed, self.line.runs, MUCH_FAILED)


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step and how much of the longest step's time its waiting and its work take."""

    step: StepFigure
    bar: list[Piece]
    words: str


def sized(count: int, runs: int) -> str:
    bounds = wilson(count, runs) if runs >= ENOUGH else None
    return f"{number(count)} of {plural(runs, 'run,runs')}" + (f", 95% interval {interval(bounds)}" if bounds else "")


def surely(count: int, runs: int, share: float) -> bool:
    """Whether the share of enough runs lies above `share` by more than chance explains."""
    bounds = wilson(count, runs)
    return runs >= ENOUGH and bounds is not None and bounds[0] > share


def flow_rows(lines: Sequence[WorkflowLine]) -> list[FlowRow]:
    scale = LogScale([value for line in lines for value in (line.p10_ms, line.p99_ms)])
    return [
        FlowRow(
            line,
            shares_bar(line.shares),
            share_words(line.shares),
            scale.whisker((line.p10_ms, line.p50_ms, line.p90_ms, line.p99_ms), pace(line)),
        )
        for line in lines
    ]


def share_words(shares: Shares | None) -> str:
    if shares is None:
        return "no finished run"
    parts = (("agents working", shares.agents), ("people working", shares.people), ("waiting", shares.waiting))
    return ", ".join(f"{percent(share)} {words}" for words, share in parts)


def pace(line: WorkflowLine) -> str:
    times = (("p10", line.p10_ms), ("p50", line.p50_ms), ("p90", line.p90_ms), ("p99", line.p99_ms))
    return ", ".join(f"{name} {duration(ms)}" for name, ms in times)


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    period, q = period_of(request, "7d"), request.GET.get("q", "")[:200]
    rows = flow_rows(stats.workflows(request.workspace.pk, period.since, period.until, q))
    context = {"rows": rows, "period": period, "q": q}
    return render_page_or_fragment(
        request, "dashboard/workflows.html", {"flows": "dashboard/_workflows_rows.html"}, context
    )


@require_safe
@needs(MEMBER)
def detail(request: Here, slug: str) -> HttpResponse:
    period = period_of(request, "7d")
    found = stats.workflow(request.workspace.pk, slug, period.since, period.until)
    if found is None:
        raise nothing_here(request, Workflow.objects.filter(slug=slug))
    recent = runs.runs(request.workspace.pk, workflow=found.line.slug, limit=RECENT)
    context = {
        "flow": found.line,
        "finding": finding(found.line, period.words),
        "row": flow_rows([found.line])[0],
        "steps": step_rows(found.line.steps),
        "pace": workflow_spark(found),
        "ended": spark(found.ended),
        "recent": recent.items,
        "period": period,
    }
    fragments = {"funnel": "dashboard/_workflow_steps.html", "recent": "dashboard/_recent_runs.html"}
    return render_page_or_fragment(request, "dashboard/workflow.html", fragments, context)


def workflow_spark(found: WorkflowDetail) -> Spark:
    return spark(found.points, "human")


def step_rows(steps: Sequence[StepFigure]) -> list[StepRow]:
    longest = max(((step.wait_p50_ms or 0) + (step.work_p50_ms or 0) for step in steps), default=0)
    rows = []
    for step in steps:
        wait, work = step.wait_p50_ms or 0, step.work_p50_ms or 0
        words = f"waits {duration(step.wait_p50_ms)}, works {duration(step.work_p50_ms)}, medians"
        rows.append(StepRow(step, stacked((("wait", wait), ("agent", work)), longest), words))
    return rows


def finding(line: WorkflowLine, words: str) -> Finding:
    """What a person would say about this process: mostly waiting, mostly one step, or how long it takes."""
    name = foreign(line.name)
    if not line.runs:
        return Finding(say(name, " ended no run in ", words), say(_progress(line)))
    ended = plural(line.runs, "finished run,finished runs")
    how = f"Of {ended}, {number(line.failed)} failed and {number(line.escalated)} asked a person. "
    lede = say(how, _progress(line))
    if line.slowest and line.slowest.share_of_elapsed:
        takes = f" takes {percent(line.slowest.share_of_elapsed)} of the elapsed time."
        lede = say(*lede, " ", foreign(line.slowest.name), takes)
    if line.shares and line.shares.waiting >= 0.5:
        return Finding(say(f"{percent(line.shares.waiting)} of ", name, " is waiting"), lede)
    return Finding(say(name, f" takes {duration(line.p50_ms)}, nine in ten end within {duration(line.p90_ms)}"), lede)


def _progress(line: WorkflowLine) -> str:
    if not line.in_progress:
        return "None is in progress."
    return f"{number(line.in_progress)} in progress" + (f", {number(line.waiting)} waiting." if line.waiting else ".")
