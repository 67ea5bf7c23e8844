"""`/runs/<id>/`: who did what, in which order, what failed and who was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.charts.bars import Piece, placed
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.templatetags.baton import duration, plural
from orchestration.workflows import account
from orchestration.workflows.account import RunDetail, SpanDetail, StepLine
from orchestration.workflows.models import Run
from orchestration.workflows.runs import RunLine
from orchestration.workspaces.current import MEMBER, Here, may_read_content, needs, nothing_here

ROWS = 200
DEEPEST = 8  # indentation stops here, the number goes on in the label
TONES = {"agent": "agent", "llm": "agent", "tool": "tool", "retrieval": "tool"}
LISTED = 40  # calls, handoffs and so on in the side; the rest is in the waterfall


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the waterfall."""

    step: StepLine
    bar: Piece
    indent: int
    open: bool
    href: str
    shown: str  # its duration


@dataclass
class RunPage:
    """One run as its page needs it."""

    request: Here
    detail: RunDetail
    tab: str

    @property
    def run(self) -> RunLine:
        return self.detail.run

    @property
    def path(self) -> str:
        return reverse("dashboard:run", args=[self.run.id])

    @cached_property
    def rows(self) -> list[Row]:
        return rows(self.detail.steps, self.run.duration_ms, self.opened_id, self.detail.steps_from)

    @cached_property
    def opened_id(self) -> str:
        return self.request.GET.get("span", "")[:80]

    @cached_property
    def opened(self) -> SpanDetail | None:
        """The step that the address names, if the run has it."""
        if not self.opened_id:
            return None
        content = may_read_content(self.request.membership)
        return account.span(self.request.workspace.pk, self.run.id, self.opened_id, content=content)

    @property
    def more_from(self) -> int | None:
        end = self.detail.steps_from + len(self.detail.steps)
        return end if self.detail.steps and end < self.detail.step_count else None

    @property
    def shown_to(self) -> int:
        return self.detail.steps_from + len(self.detail.steps)

    @property
    def live(self) -> bool:
        return self.run.ended_at is None

    @property
    def reads_content(self) -> bool:
        return may_read_content(self.request.membership)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What there is to say about the run beside its figures."""
        run, words = self.run, []
        if run.late:
            words.append(("Revised", "spans came after it had ended"))
        if run.orphans:
            state = "has not come yet" if run.status == "running" else "never came"
            words.append(("Unknown parents", f"{plural(run.orphans, 'step,steps')} whose parent {state}"))
        if run.status == "completed" and not run.root_said_ok:
            words.append(("Root", "did not say that all went well"))
        return words


@require_safe
@needs(MEMBER)
def page(request: Here, run_id: UUID) -> HttpResponse:
    found = account.run(request.workspace.pk, str(run_id), steps_from=start_of(request), steps=ROWS, listed=LISTED)
    if found is None:
        raise nothing_here(request, Run.objects.filter(id=run_id))
    if found.run.id != run_id:  # it was merged: the address of the run that took it
        query = request.GET.urlencode()
        target = reverse("dashboard:run", args=[found.run.id])
        return HttpResponseRedirect(f"{target}?{query}" if query else target)
    shown = RunPage(request, found, "steps" if request.GET.get("tab") == "steps" else "waterfall")
    fragments = {
        "more": "dashboard/_run_more.html",
        "summary": "dashboard/_run_summary.html",
        "waterfall": "dashboard/_run_waterfall.html",
        "span": "dashboard/_run_span.html",
        "told": "dashboard/_run_told.html",
    }
    return render_page_or_fragment(request, "dashboard/run.html", fragments, {"page": shown, "run": found.run})


def start_of(request: Here) -> int:
    text = request.GET.get("from", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0


def rows(steps: Sequence[StepLine], whole_ms: float, opened: str, start: int) -> list[Row]:
    return [
        Row(
            step,
            placed(
                step.offset_ms, step.duration_ms if step.duration_ms is not None else whole_ms, whole_ms, tone(step)
            ),
            min(step.depth, DEEPEST),
            step.id == opened,
            f"?span={step.id}{f'&from={start}' if start else ''}#span",
            duration(step.duration_ms) if step.duration_ms is not None else "open",
        )
        for step in steps
    ]


def tone(step: StepLine) -> str:
    """Red is broken, hatched is waiting for a person, dark blue an agent that thinks, light blue what it uses,
    grey what only holds them together."""
    if step.counted:
        return "fail"
    if step.kind == "human":
        return "wait"
    return TONES.get(step.kind, "other")
