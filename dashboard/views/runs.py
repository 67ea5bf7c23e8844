"""`/runs/`: what ran and what runs, newest first, narrowed by what is in the address."""

from __future__ import annotations

from dataclasses import dataclass, fields

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from dashboard.period import period_of
from dashboard.views.overview import address
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.lib.paging import BadCursor, Page
from orchestration.workflows.models import RunStatus
from orchestration.workflows.runs import RunLine, runs
from orchestration.workspaces.current import MEMBER, Here, needs

LIMIT = 50
STATUSES = (("", "Any status"), ("in_progress", "In progress"), *RunStatus.choices)


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What the address asks for."""

    q: str
    status: str
    workflow: str
    agent: str
    conversation: str
    trace: str
    cursor: str

    @property
    def any(self) -> bool:
        return any((self.q, self.status, self.workflow, self.agent, self.conversation, self.trace))


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    asked = narrowed(request)
    page = find(request, asked)
    new = not page.items and not asked.any and not asked.cursor and "range" not in request.GET
    if wanted(request) == "first-steps" and not new:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {
        "rows": page.items,
        "asked": asked,
        "statuses": STATUSES,
        "new": new,
        "first": address_of(request, "") if asked.cursor else "",
        "next": address_of(request, page.next) if page.next else "",
        "address": address(request),
    }
    fragments = {"rows": "dashboard/_runs_rows.html", "first-steps": "parts/exporter.html"}
    return render_page_or_fragment(request, "dashboard/runs.html", fragments, context)


def narrowed(request: Here) -> Narrowed:
    return Narrowed(**{each.name: request.GET.get(each.name, "").replace("\0", "")[:500] for each in fields(Narrowed)})


def find(request: Here, asked: Narrowed) -> Page[RunLine]:
    since = period_of(request).since if "range" in request.GET else None
    try:
        return runs(
            request.workspace.pk,
            workflow=asked.workflow,
            status=asked.status,
            agent=asked.agent,
            conversation=asked.conversation,
            trace=asked.trace,
            since=since,
            q=asked.q,
            limit=LIMIT,
            cursor=asked.cursor or None,
        )
    except BadCursor as error:
        raise BadRequest("The cursor is not one that this list gave out.") from error


def address_of(request: Here, cursor: str) -> str:
    """This list with the same filters at another place."""
    query = request.GET.copy()
    query.pop("cursor", None)
    for name in [name for name in query if not query[name]]:
        del query[name]
    if cursor:
        query["cursor"] = cursor
    return f"{request.path}?{query.urlencode()}" if query else request.path
