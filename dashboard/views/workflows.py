"""`/workflows/` and one of them: where does this process lose time and cases?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from dashboard.charts.bars import LogScale, Piece, Whisker, shares_bar
from dashboard.finding import Finding, Part, foreign, say
from dashboard.links import Links
from dashboard.period import Period, period_of
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.stats import ENOUGH, wilson
from orchestration.lib.templatetags.baton import duration, interval, number, percent, plural
from orchestration.workflows import stats
from orchestration.workflows.stats import Shares, WorkflowLine
from orchestration.workspaces.current import MEMBER, Here, needs

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


def in_motion(lines: Iterable[WorkflowLine]) -> list[WorkflowLine]:
    """Those of which something runs or ended, the busiest first. The others have no time to show."""
    moving = [line for line in lines if line.runs or line.in_progress]
    return sorted(moving, key=lambda line: (-line.in_progress, -line.runs, line.name))


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    period, q = period_of(request, "7d"), request.GET.get("q", "")[:200]
    lines = stats.workflows(request.workspace.pk, period.since, period.until, q, times=False)
    rows = flow_rows(in_motion(lines))
    still = [line for line in lines if not line.runs and not line.in_progress]
    known = {} if q else stats.in_progress(request.workspace.pk)
    nameless = sum(n for (workflow_id, _), n in known.items() if not workflow_id)
    context = {
        "finding": finding(rows, still, period, q, nameless),
        "rows": rows,
        "still": still,
        "period": period,
        "q": q,
    }
    return render_page_or_fragment(
        request, "dashboard/workflows.html", {"flows": "dashboard/_workflows_rows.html"}, context
    )


def finding(
    rows: Sequence[FlowRow], still: Sequence[WorkflowLine], period: Period, q: str = "", nameless: int = 0
) -> Finding:
    """What most needs somebody, the first that holds: what surely fails, asks people, or is mostly waiting. `nameless`:
    runs in progress that have not said of which workflow they are, which the count beside the menu holds too."""
    if not rows and still:
        return Finding(say(f"No workflow {'of these ' if q else ''}ran in {period.words}"))
    if not rows:
        return Finding(say("No workflow has a name like that" if q else "No workflow has run yet"))
    ended = sum(row.line.runs for row in rows)
    failed, asked, open_ = (sum(getattr(row.line, n) for row in rows) for n in ("failed", "escalated", "in_progress"))
    lede = say(
        f"Of {plural(ended, 'run,runs')} that ended in {period.words}, {number(failed)} failed and {number(asked)} "
        f"asked a person. {number(open_ + nameless)} in progress"
        f"{f', {number(nameless)} of no workflow so far' if nameless else ''}."
    )
    return Finding(_standing_out(rows, Links(period.text)), lede)


def _standing_out(rows: Sequence[FlowRow], links: Links) -> tuple[Part, ...]:
    failing = [row.line for row in rows if row.fails_much]
    asking = [row.line for row in rows if row.asks_much]
    waiting = [row.line for row in rows if row.line.shares and row.line.shares.waiting >= 0.5]
    if failing:
        worst = max(failing, key=lambda line: line.failed / line.runs)
        words = f" fails in {percent(worst.failed / worst.runs)} of its runs"
    elif asking:
        worst = max(asking, key=lambda line: line.escalated / line.runs)
        words = f" asks a person in {percent(worst.escalated / worst.runs)} of its runs"
    elif waiting:
        worst = max(waiting, key=lambda line: line.shares.waiting if line.shares else 0)
        words = f" is waiting for {percent(worst.shares.waiting if worst.shares else 0)} of its time"
    else:
        return say("No workflow surely fails or asks often")
    return say(foreign(worst.name, links.workflow(worst.slug)), words)
