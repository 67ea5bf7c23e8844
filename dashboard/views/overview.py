"""`/`: is work flowing, and what does it ask of people? The five answers, what they come down to in words, what needs
somebody, and where time goes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import structlog
from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dashboard.alone_words import Against, against
from dashboard.answers import Answer, answers
from dashboard.charts.load import Against as Bars
from dashboard.charts.load import Columns, columns
from dashboard.finding import Finding
from dashboard.headline import headline, look_back
from dashboard.links import Links
from dashboard.load_facts import LoadFacts, load_facts
from dashboard.needs import Needs, needs_of, role_of
from dashboard.period import Period, period_of
from dashboard.views.workflows import FlowRow, flow_rows, in_motion
from orchestration.control.attention import asks_most, attention
from orchestration.control.human_load import HumanLoad, human_load
from orchestration.control.overview import Overview, overview
from orchestration.control.states import Signs, signs_of
from orchestration.holds.capacity import strength
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.workflows import stats
from orchestration.workflows.extent import Extent, extent
from orchestration.workflows.stats import WorkflowLine
from orchestration.workspaces.current import MEMBER, Here, needs

log = structlog.get_logger(__name__)

REGIONS = ("answers", "load", "attention", "flows")
MOST_FLOWS = 10
FORTNIGHT = 14  # days that a narrow page shows


@dataclass
class OverviewPage:
    """What the page shows, computed only as far as it is looked at: a region asks for itself alone. `failed` has a
    reference for each region that could not be computed, so that the others are shown nevertheless."""

    request: Here
    period: Period
    failed: dict[str, str] = field(default_factory=dict)

    @cached_property
    def signs(self) -> dict[int, Signs]:
        return signs_of(self.request.workspace.pk)

    @cached_property
    def figures(self) -> Overview:
        return overview(self.request.workspace.pk, self.period.window, self.period.until, self.signs)

    @cached_property
    def finding(self) -> Finding:
        return self.past or headline(self.figures, self.period, self.load if self.bounded else None)

    @cached_property
    def bounded(self) -> bool:
        """Whether it is known how much people can bear; else the finding needs no figures of load."""
        known = strength(self.request.workspace.pk)
        return "load" not in self.failed and known is not None and bool(known.people)

    @cached_property
    def past(self) -> Finding | None:
        """Where nothing runs or ran within the range that ends now: from when there is something to see."""
        now = self.figures
        if self.period.day or now.runs_in_progress or now.runs_ended.runs or now.agents.silent or self.extent is None:
            return None
        return look_back(self.extent, self.period)

    @cached_property
    def extent(self) -> Extent | None:
        return extent(self.request.workspace.pk)

    @cached_property
    def answers(self) -> list[Answer]:
        return answers(self.figures, self.period.text)

    @cached_property
    def load(self) -> HumanLoad:
        end = self.period.until - timedelta(seconds=1) if self.period.day else self.period.until
        return human_load(self.request.workspace.pk, end)

    @cached_property
    def charts(self) -> dict[str, Columns]:
        days = self.load.days
        over = self.period.day is not None
        bars = Bars(self.load.capacity_a_day, self.load.published)
        return {
            "wide": columns(days, 700, 196, over, bars),
            "narrow": columns(days[-FORTNIGHT:], 340, 190, over, bars),
        }

    @cached_property
    def load_facts(self) -> LoadFacts:
        return load_facts(self.load)

    @cached_property
    def alone(self) -> Against:
        return against(self.load.alone)

    @cached_property
    def attention(self) -> Needs:
        role = role_of(self.request.membership)
        items = attention(self.request.workspace.pk, self.period.until, self.signs)
        most = asks_most(self.lines) if role == "admin" else None
        return needs_of([*items, most] if most else items, role, self.period.until, Links(self.period.text))

    @cached_property
    def lines(self) -> list[WorkflowLine]:
        """Every workflow; a region alone reads these and no other figures."""
        if wanted(self.request) in REGIONS or "answers" in self.failed:
            here, period = self.request.workspace.pk, self.period
            return stats.workflows(here, period.since, period.until, times=False)
        return self.figures.workflows

    @cached_property
    def flows(self) -> list[FlowRow]:
        return flow_rows(in_motion(self.lines)[:MOST_FLOWS])

    @cached_property
    def new(self) -> bool:
        """Nothing has ever come: there is nobody to show and nothing ran."""
        if "answers" in self.failed:
            return False
        now = self.figures
        return now.agents.all == now.runs_in_progress == now.runs_ended.runs == 0 and self.extent is None

    def prepare(self) -> None:
        """Computes every region; one that the database fails is left out of the page and asks again by itself."""
        for region in REGIONS:
            try:
                getattr(self, region)
            except Error:
                self.failed[region] = secrets.token_hex(4)
                log.error("region failed", region=region, reference=self.failed[region], exc_info=True)


@require_safe
@needs(MEMBER)
def page(request: Here) -> HttpResponse:
    shown, region = OverviewPage(request, period_of(request)), wanted(request)
    if region == "first-seen":
        return HttpResponse(headers={"HX-Refresh": "true"})
    fragments = {each: f"dashboard/_overview_{each}.html" for each in REGIONS}
    if region not in fragments:
        shown.prepare()
    came = region == "first-steps" and not shown.new
    context = {"page": shown, "period": shown.period, "address": address(request), "came": came}
    fragments["first-steps"] = "parts/exporter.html"
    return render_page_or_fragment(request, "dashboard/overview.html", fragments, context)


def address(request: HttpRequest) -> str:
    """Where exporters send to: the address people use, as configured, else the one of this request."""
    public = getattr(settings, "PUBLIC_URL", None)
    return public.geturl().rstrip("/") if public else request.build_absolute_uri("/").rstrip("/")
