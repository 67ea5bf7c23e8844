"""`/runs/`: what ran and what runs, newest first, narrowed by what is in the address."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import BadRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.addresses import public_address
from dashboard.finding import Finding, Part, say
from dashboard.narrowing import (
    MOST_COUNTED,
    Chip,
    Column,
    Pages,
    address_of,
    chips,
    columns,
    kept,
    page_number,
    span_words,
    terms,
    text_of,
)
from dashboard.period import Period, period_of
from dashboard.standing import RUN_FILTERS, cancel_all
from dashboard.views.errors import NoRun
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.fragments import wanted as wanted_region
from orchestration.lib.paging import BadCursor, Page
from orchestration.lib.templatetags.baton import number, plural, rate
from orchestration.workflows import runs, stats
from orchestration.workflows.models import RunStatus, Trace
from orchestration.workflows.run_search import find_run, has_none
from orchestration.workflows.runs import SORTS, STATUSES, RunLine, Wanted
from orchestration.workspaces.current import MEMBER, Here, needs, nothing_here

LIMIT = 50
FIELDS = ("workflow", "status", "agent", "conversation", "trace")
CHOICES = (("", "Any status"), ("in_progress", "In progress"), *RunStatus.choices)
ORDERED_OVER = timedelta(days=7)  # where the order is not by time, unless a range says otherwise
HEADS = (
    ("Run", "", False, True),
    ("Status", "", False, True),
    ("Workflow", "", False, False),
    ("Agents", "", False, False),
    ("Started", "started", False, False),
    ("Took", "took", True, True),
    ("Steps", "steps", True, False),
    ("Errors", "errors", True, False),
    ("Cost", "", True, False),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for."""

    q: str
    wanted: Wanted
    sort: str
    period: Period | None  # None: all there are

    @property
    def narrowed(self) -> bool:
        return bool(self.q) or any(getattr(self.wanted, field) for field in FIELDS)


@dataclass(frozen=True, slots=True)
class RunsPage:
    rows: list[RunLine]
    finding: Finding
    columns: list[Column]
    chips: list[Chip]
    kept: list[tuple[str, str]]
    pages: Pages
    asked: Asked
    live: bool  # the newest page goes on by itself


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    asked, region = ask(request), wanted_region(request)
    if region == "first-seen":
        return HttpResponse(headers={"HX-Refresh": "true"})
    page = find(request, asked)
    new = not page.items and not asked.narrowed and not request.GET.get("cursor") and asked.period is None
    context = {
        "page": shown(request, asked, page),
        "choices": CHOICES,
        "new": new,
        "came": region == "first-steps" and not new,
        "period": asked.period or period_of(request),
        "ranged": asked.period is not None,
        "always": address_of(request, range=""),
        "address": public_address(request),
    }
    if not region:
        said = asked.wanted
        context["ask"] = cancel_all(request, said) if asked.narrowed else None
        context["press"] = secrets.token_urlsafe(16)
        context["kept"] = [(name, told) for name in RUN_FILTERS if (told := _told(getattr(said, name)))]
    fragments = {"rows": "dashboard/_runs_rows.html", "first-steps": "parts/exporter.html"}
    return render_page_or_fragment(request, "dashboard/runs.html", fragments, context)


def _told(value: str | datetime | None) -> str:
    return value.isoformat() if isinstance(value, datetime) else value or ""


def ask(request: Here) -> Asked:
    q = text_of(request, "q")
    words, fields = terms(q, FIELDS)
    given = {field: fields.get(field, "") or text_of(request, field) for field in FIELDS}
    given["status"] = given["status"].lower()
    period = period_of(request) if "range" in request.GET else None
    sort = text_of(request, "sort")
    sort = sort if sort in SORTS else "started"
    since = period.since if period else timezone.now() - ORDERED_OVER if sort != "started" else None
    until = period.until if period and period.day else None
    workflow, status, agent, conversation, trace = (given[field] for field in FIELDS)
    return Asked(q, Wanted(workflow, status, agent, conversation, trace, since, until, words), sort, period)


def find(request: Here, asked: Asked) -> Page[RunLine]:
    if asked.wanted.status and asked.wanted.status not in STATUSES:
        return Page([], None)
    try:
        return runs.listed(
            request.workspace.pk,
            asked.wanted,
            sort=asked.sort,
            limit=LIMIT,
            cursor=request.GET.get("cursor") or None,
            newer=request.GET.get("dir") == "newer",
        )
    except BadCursor as error:
        raise BadRequest("The cursor is not one that this list gave out.") from error


def shown(request: Here, asked: Asked, page: Page[RunLine]) -> RunsPage:
    at = page_number(request) if request.GET.get("cursor") and page.prev else 1
    counted = runs.count(request.workspace.pk, asked.wanted, MOST_COUNTED) if page.items else 0
    words = span_words(at, LIMIT, len(page.items), counted)
    if asked.sort != "started" and asked.period is None:
        words += ", of the last 7 days"
    newer = ""
    if page.prev:
        newer = address_of(request, cursor=page.prev, dir="newer", page=str(at - 1)) if at > 1 else address_of(request)
    return RunsPage(
        rows=page.items,
        finding=finding(request, asked, counted),
        columns=columns(request, HEADS, asked.sort),
        chips=chips(request, [(field, field.capitalize()) for field in FIELDS if field != "status"]),
        kept=kept(request, ("range", "sort", *(field for field in FIELDS if field != "status"))),
        pages=Pages(words, newer, address_of(request, cursor=page.next, page=str(at + 1)) if page.next else ""),
        asked=asked,
        live=not page.prev,
    )


@require_safe
@needs(MEMBER)
def of_trace(request: Here, trace_id: str) -> HttpResponse:
    """To the run of a trace, for who has nothing but a line of a log."""
    run_id = find_run(request.workspace.pk, trace_id)
    if run_id is None:
        if has_none(request.workspace.pk, trace_id):
            raise NoRun("No run is made of this trace")
        raise nothing_here(request, Trace.objects.filter(trace_id=bytes.fromhex(trace_id), run_id__isnull=False))
    query = request.GET.urlencode()
    target = reverse("dashboard:run", args=[run_id])
    return HttpResponseRedirect(f"{target}?{query}" if query else target)


def finding(request: Here, asked: Asked, counted: int) -> Finding:
    """How much is at work and how the last day went; of a narrowed list, how many fit."""
    if asked.narrowed:
        many = f"More than {number(MOST_COUNTED)} runs match" if counted > MOST_COUNTED else ""
        return Finding(say(many or f"{plural(counted, 'run matches,runs match')}" if counted else "No runs match"))
    progress = stats.in_progress(request.workspace.pk)
    running, waiting = (sum(n for (_, status), n in progress.items() if status == each) for each in stats.OPEN)
    now = timezone.now()
    day = stats.all_durations(request.workspace.pk, now - timedelta(days=1), now)
    lede: tuple[Part, ...] = say("None ended in the last 24 hours.")
    if day.runs:
        failed = Part(f"{rate(day.failed, day.runs)} failed", f"{request.path}?status=failed&range=24h")
        lede = say(f"{plural(day.runs, 'run,runs')} ended in the last 24 hours; ", failed, ".")
    return Finding(say(_progress(running, waiting)), lede)


def _progress(running: int, waiting: int) -> str:
    if not running + waiting:
        return "No run is in progress"
    asks = f", {plural(waiting, 'waits,wait')} for a person" if waiting else ""
    return f"{plural(running + waiting, 'run is,runs are')} in progress{asks}"
