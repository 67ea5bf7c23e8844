"""`/runs/<id>/`: who did what, in which order, what failed and who was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from dashboard import run_shared, standing, telling
from dashboard.charts.bars import Piece, placed
from dashboard.charts.lane_parts import PEOPLE, Who, covered, parts_of
from dashboard.charts.lane_parts import Part as LanePart
from dashboard.charts.lanes import Drawing, draw
from dashboard.finding import Part
from dashboard.run_shared import Handed, Shared
from orchestration.control import run_context
from orchestration.control.gates import Gate, gates
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.lib.templatetags.baton import duration, plural
from orchestration.workflows import account, progress
from orchestration.workflows.account import RunDetail
from orchestration.workflows.account_lines import SpanDetail, StepLine
from orchestration.workflows.models import Run
from orchestration.workflows.outline import VIEWS
from orchestration.workflows.runs import RunLine
from orchestration.workspaces.current import MEMBER, Here, may_read_content, needs, nothing_here

ROWS = 200
DEEPEST = 8  # indentation stops here, the number goes on in the label
TONES = {"agent": "agent", "llm": "agent", "tool": "tool", "retrieval": "tool"}
LISTED = 12  # failures, handoffs and so on in the side; the rest is in the waterfall
TABS = ("waterfall", "steps")
SHORT = 18  # of an error's type that fits into a mark


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the waterfall."""

    step: StepLine
    bar: Piece
    indent: int
    open: bool
    href: str
    shown: str  # its duration
    label: str
    mark: str  # of a failure: the error's type, where it is short
    holds: bool  # there are rows below it


@dataclass(frozen=True, slots=True)
class ToolLine:
    """All calls of one tool in the run."""

    tool: str
    calls: int
    failed: int
    ms: float


@dataclass(frozen=True, slots=True)
class TwiceLine:
    """A call that another agent had made before."""

    tool: str
    first_agent: str
    again_agent: str
    again: str  # id of its step
    lost_ms: float


@dataclass
class RunPage:
    """One run as its page needs it."""

    request: Here
    detail: RunDetail
    tab: str
    view: str

    @property
    def run(self) -> RunLine:
        return self.detail.run

    @property
    def path(self) -> str:
        return reverse("dashboard:run", args=[self.run.id])

    @cached_property
    def version(self) -> int | None:
        """Of the declared workflow by which it goes."""
        return progress.version_of(self.request.workspace.pk, self.run.id)

    @cached_property
    def rows(self) -> list[Row]:
        return rows(self.detail.steps, self.elapsed_ms, self.opened_id, self._kept(start=self.detail.steps_from))

    @property
    def opened_id(self) -> str:
        return span_of(self.request)

    @property
    def opened(self) -> SpanDetail | None:
        return self.detail.opened

    @property
    def more_from(self) -> int | None:
        return self.shown_to if self.detail.steps and self.shown_to < self.detail.shown_count else None

    @property
    def shown_to(self) -> int:
        return self.detail.steps_from + len(self.detail.steps)

    @property
    def more(self) -> str:
        return self.path + self._kept(start=self.more_from or 0)

    @property
    def hidden(self) -> int:
        return self.detail.step_count - self.detail.shown_count

    @property
    def addresses(self) -> dict[str, str]:
        """Of the tabs and views, by name."""
        found = {tab: self.path + self._kept(tab=tab) for tab in TABS}
        return found | {view: self.path + self._kept(view=view) for view in VIEWS}

    def _kept(self, *, tab: str = "", view: str = "", start: int = 0) -> str:
        """The query of this page with these changes."""
        tab, view = tab or self.tab, view or self.view
        parts = {"tab": tab if tab != TABS[0] else "", "show": view if view != VIEWS[0] else "", "from": start or ""}
        query = urlencode({name: value for name, value in parts.items() if value})
        return f"?{query}" if query else ""

    @property
    def live(self) -> bool:
        return self.run.ended_at is None

    @property
    def moves(self) -> bool:
        """Whether its end is now, and not where the last step ended."""
        return self.run.status in ("running", "waiting")

    @cached_property
    def _until_ns(self) -> int:
        story = self.detail.story
        return max(story.ended_ns, int(timezone.now().timestamp() * 1e9)) if self.moves else story.ended_ns

    @cached_property
    def elapsed_ms(self) -> float:
        return (self._until_ns - self.detail.story.started_ns) / 1e6 if self.detail.story.placed else 0.0

    @cached_property
    def lanes(self) -> Drawing | None:
        return draw(self.detail.story, self._parts, self.detail.duplicates, self._until_ns, live=self.moves)

    @cached_property
    def _parts(self) -> dict[Who, list[LanePart]]:
        return parts_of(self.detail.story, self._until_ns)

    @cached_property
    def why(self) -> tuple[Part, ...]:
        people = self._parts.get(PEOPLE, [])
        return telling.why(self.detail, covered(people), int(self.elapsed_ms * 1e6))

    @property
    def lede(self) -> tuple[Part, ...]:
        return telling.lede(self.detail)

    @cached_property
    def clocks(self) -> tuple[Part, ...]:
        return telling.clocks(self.detail.story.placed)

    @cached_property
    def tools(self) -> list[ToolLine]:
        return tools(self.detail)[:LISTED]

    @property
    def twice(self) -> list[TwiceLine]:
        return [
            TwiceLine(each.tool, each.first_agent[1], each.again_agent[1], each.again.hex(), each.lost_ns / 1e6)
            for each in self.detail.duplicates[:LISTED]
        ]

    @property
    def pace(self) -> int:
        """How long a region rests before it asks again, in ms: telling a long run costs more."""
        return max(1000, self.detail.step_count // 4)

    @property
    def reads_content(self) -> bool:
        return may_read_content(self.request.membership)

    @cached_property
    def shared(self) -> Shared | None:
        found = run_context.context(self.request.workspace.pk, str(self.run.id), self.detail, self.gates)
        return run_shared.shared(found) if found else None

    @cached_property
    def handed(self) -> list[Handed]:
        return run_shared.handed(self.detail.story, self.shared.context.declared if self.shared else [])

    @property
    def handed_shown(self) -> list[Handed]:
        return self.handed[:LISTED]

    @cached_property
    def gates(self) -> list[Gate]:
        return gates(self.request.workspace.pk, self.run)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What there is to say about the run beside its figures."""
        run, words = self.run, []
        if run.orphans:
            state = "has not come yet" if run.status == "running" else "never came"
            words.append(("Unknown parents", f"{plural(run.orphans, 'step,steps')} whose parent {state}"))
        if run.status == "completed" and not run.root_said_ok:
            words.append(("Root", "did not say that all went well"))
        return words


@require_safe
@needs(MEMBER)
def page(request: Here, run_id: UUID) -> HttpResponse:
    tab = "steps" if request.GET.get("tab") == "steps" else "waterfall"
    view = request.GET.get("show", "")
    view = view if view in VIEWS else VIEWS[0]
    found = account.run(
        request.workspace.pk,
        str(run_id),
        steps_from=start_of(request),
        steps=ROWS,
        listed=LISTED,
        view="all" if tab == "steps" else view,
        opened=span_of(request),
        content=may_read_content(request.membership),
    )
    if found is None:
        raise nothing_here(request, Run.objects.filter(id=run_id))
    if found.run.id != run_id:  # it was merged: the address of the run that took it
        query = request.GET.urlencode()
        target = reverse("dashboard:run", args=[found.run.id])
        return HttpResponseRedirect(f"{target}?{query}" if query else target)
    fragments = {
        "more": "dashboard/_run_more.html",
        "summary": "dashboard/_run_summary.html",
        "lanes": "dashboard/_run_lanes.html",
        "waterfall": "dashboard/_run_waterfall.html",
        "span": "dashboard/_run_span.html",
        "told": "dashboard/_run_told.html",
    }
    shown = RunPage(request, found, tab, view)
    context: dict[str, object] = {"page": shown, "run": found.run}
    if not wanted(request):
        context["standing"] = standing.of_run(request, found.run, declared=shown.version is not None)
    return render_page_or_fragment(request, "dashboard/run.html", fragments, context)


def start_of(request: Here) -> int:
    text = request.GET.get("from", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0


def span_of(request: Here) -> str:
    return request.GET.get("span", "")[:80]


def rows(steps: Sequence[StepLine], whole_ms: float, opened: str, query: str) -> list[Row]:
    """`query` is what the address of an opened step keeps."""
    kept = f"&{query[1:]}" if query else ""
    depths = [*(step.depth for step in steps[1:]), 0]  # of the row below each
    return [
        Row(
            step,
            placed(
                step.offset_ms, step.duration_ms if step.duration_ms is not None else whole_ms, whole_ms, tone(step)
            ),
            min(step.depth, DEEPEST),
            step.id == opened,
            f"?span={step.id}{kept}#span",
            duration(step.duration_ms) if step.duration_ms is not None else "open",
            telling.label(step),
            mark(step),
            below > step.depth,
        )
        for step, below in zip(steps, depths, strict=False)
    ]


def mark(step: StepLine) -> str:
    kind = (step.error or "").partition(":")[0].strip()
    return kind if 0 < len(kind) <= SHORT else "Failed"


def tone(step: StepLine) -> str:
    """Red is broken, hatched is waiting for a person, dark blue an agent that thinks, light blue what it uses,
    grey what only holds them together."""
    if step.counted:
        return "fail"
    if step.kind == "human":
        return "wait" if step.duration_ms is None else "human"
    return TONES.get(step.kind, "other")


def tools(detail: RunDetail) -> list[ToolLine]:
    """The run's calls by tool, those that failed first, then those that took longest."""
    found: dict[str, ToolLine] = {}
    for call in detail.story.tool_calls:
        line = found.get(call.tool, ToolLine(call.tool, 0, 0, 0.0))
        ms = line.ms + call.duration_ns / 1e6
        found[call.tool] = ToolLine(call.tool, line.calls + 1, line.failed + (not call.ok), ms)
    return sorted(found.values(), key=lambda line: (-line.failed, -line.ms, line.tool))
