"""`/inbox/`: what must people decide now, and is anything in it not like the rest? Three panes; on a narrow screen each
is a page of its own. The whole view is in the address."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from escalations import acts, claims, drafting
from escalations.briefs import Brief, Told, brief
from escalations.forms import ASKED, REASONS, SNOOZES
from escalations.listing import Listing, Wish, listing
from escalations.models import Batch, Escalation
from escalations.opened import Opened, find, opened
from escalations.pane import pane
from escalations.precedents import SPEAKING
from escalations.sorting import reviewers
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.workspaces.current import MEMBER, Here, may_read_content, needs, nothing_here

PAGE = "escalations/inbox.html"
REGIONS = {
    "batches": "escalations/_batches.html",
    "batch": "escalations/_batch.html",
    "case": "escalations/_case.html",
    "panes": "escalations/_panes.html",
    "after": "escalations/_after.html",
}
AHEAD = "prefetch"  # X-Purpose of a look ahead, which claims nothing


@require_safe
@needs(MEMBER)
def page(request: Here, batch_id: UUID | None = None) -> HttpResponse:
    batch = asked_for(request, batch_id) if batch_id else None
    if (
        batch
        and request.membership.has("reviewer")
        and request.headers.get("X-Purpose") != AHEAD
        and not batch.closed_at
    ):
        claims.take(batch, request.user, timezone.now())
    return shown(request, batch)


@require_safe
@needs(MEMBER)
def case(request: Here, hold_id: UUID) -> HttpResponse:
    """Where a case is now, for links from elsewhere: batches change, holds stay."""
    found = Escalation.objects.filter(workspace=request.workspace, pk=hold_id).first()
    if found is None or found.batch_id is None:
        raise nothing_here(request, Escalation.objects.filter(pk=hold_id))
    return HttpResponseRedirect(f"{reverse('escalations:batch', args=[found.batch_id])}?case={found.number}")


def asked_for(request: Here, batch_id: UUID) -> Batch:
    batch = find(request.workspace, batch_id)
    if batch is None:
        raise nothing_here(request, Batch.objects.filter(pk=batch_id))
    return batch


def shown(request: Here, batch: Batch | None, more: dict[str, Any] | None = None, *, status: int = 200) -> HttpResponse:
    """The page, or the region that was asked for. Without a batch the first of the list stands open beside it."""
    now, region = timezone.now(), wanted(request)
    decides = request.membership.has("reviewer")
    reads = decides or may_read_content(request.membership)
    given = batch is not None
    found = listing(request.workspace, request.user, Wish.of(request.GET, "mine" if decides else "team"), now)
    if batch is None and found.lines:
        batch = find(request.workspace, found.lines[0].batch.pk)
    context: dict[str, Any] = {
        "list": found,
        "decides": decides,
        "reads": reads,
        "view": _view(request, given),
        "as_of": now,
        **(more or {}),
    }
    if batch is not None and region != "batches":
        context |= _panes(request, batch, found, now, context)
    context["current"] = batch.pk if batch else None
    context["address"] = _address(request, batch, found)
    if decides:
        context["toasts"] = _toasts(request, now)
    return render_page_or_fragment(request, PAGE, REGIONS, context, status=status)


def _view(request: Here, given: bool) -> str:
    """Which of the panes a narrow screen shows."""
    if not given:
        return "list"
    return "case" if number(request) is not None else "batch"


def number(request: Here) -> int | None:
    told = request.GET.get("case", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 9 else None


def _address(request: Here, batch: Batch | None, found: Listing) -> str:
    path = reverse("escalations:batch", args=[batch.pk]) if batch else reverse("escalations:inbox")
    return path + found.wish.query()


def _panes(request: Here, batch: Batch, found: Listing, now: datetime, context: dict[str, Any]) -> dict[str, Any]:
    reads, kept = context["reads"], context.get("kept")
    whole = opened(batch, request.user, now, reads=reads, kept=kept)
    told: dict[str, Any] = {
        "batch": whole,
        "case": pane(whole, number(request), reads=reads),
        "brief": _brief(whole) if reads else None,
        "place": found.place(batch.pk),
        "next": found.following(batch.pk),
        "key": secrets.token_hex(16),
        "case_key": secrets.token_hex(16),
        "opened": int(now.timestamp() * 1000),
    }
    if context["decides"]:
        told |= {"reasons": REASONS.items(), "asked": ASKED.items(), "snoozes": SNOOZES.items()}
        told |= {"people": reviewers(request.workspace), "alike": _alike(whole)}
    return told


def _brief(whole: Opened) -> Brief | None:
    """What an endpoint drafted of these very facts, else what the template makes of them."""
    told = [Told(row.case.number, row.case.fields, row.case.differs) for row in whole.cases]
    return drafting.shown(whole.batch, told) or brief(told)


def _alike(whole: Opened) -> dict[str, int] | None:
    """How many more batches hold such cases, and how many of all start selected."""
    batch = whole.batch
    others = Batch.objects.filter(workspace_id=batch.workspace_id, key=batch.key, closed_at=None).exclude(pk=batch.pk)
    count = others.count() if batch.people == 1 else 0
    if not count:
        return None
    cases = Escalation.objects.filter(
        workspace_id=batch.workspace_id, key=batch.key, open=True, selected=True, batch__closed_at=None
    )
    odd = Escalation.objects.filter(workspace_id=batch.workspace_id, key=batch.key, open=True, selected=False).count()
    return {"batches": count, "cases": cases.count(), "odd": odd}


def _toasts(request: Here, now: datetime) -> dict[str, Any] | None:
    """The act that Z takes back now, and how many stand behind it."""
    found = acts.latest(request.workspace, request.user, now)
    if not found:
        return None
    last = found[0]
    left = (last.undo_until - now).total_seconds() if last.undo_until else 0
    shown_left = max(1, min(9, int(left))) if left < 9.5 else 0
    return {"act": last, "left": shown_left, "more": len(found) - 1, "keeps": last.verb in SPEAKING}
