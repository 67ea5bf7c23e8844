"""`/inbox/`: what must people decide now? Each case for itself; a verdict may be taken back for ten seconds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from escalations import cases
from escalations.forms import VerdictForm
from orchestration.holds import verdicts
from orchestration.holds.models import Hold
from orchestration.holds.verdicts import TooLate, Unreasoned
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.workspaces.current import MEMBER, Here, may_read_content, needs, nothing_here

REGIONS = {"cases": "escalations/_cases.html"}


@require_safe
@needs(MEMBER)
def page(request: Here) -> HttpResponse:
    return _shown(request)


@require_POST
@needs("reviewer")
def decide(request: Here, hold_id: UUID) -> HttpResponse:
    hold, form = _hold(request, hold_id), VerdictForm(request.POST)
    if not form.is_valid():
        return _shown(request, {"wrong": form, "wrong_id": hold.pk, "answer": request.POST.get("answer")}, status=422)
    try:
        verdicts.decide(hold, form.verdict, request.user, revision=form.cleaned_data["revision"])
    except TooLate as late:
        return _shown(request, {"conflict": late.hold, "first": cases.who_was_first(late.hold)}, status=409)
    except Unreasoned as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return _shown(request, {"wrong": form, "wrong_id": hold.pk, "answer": request.POST.get("answer")}, status=422)
    return HttpResponseRedirect(reverse("escalations:inbox"))


@require_POST
@needs("reviewer")
def undo(request: Here, hold_id: UUID) -> HttpResponse:
    hold = _hold(request, hold_id)
    try:
        verdicts.undo(hold, request.user)
    except TooLate as late:
        if late.hold.verdict:
            return _shown(request, {"conflict": late.hold, "first": "The ten seconds are over"}, status=409)
    return HttpResponseRedirect(reverse("escalations:inbox"))


def _hold(request: Here, hold_id: UUID) -> Hold:
    hold = cases.one(request.workspace, hold_id)
    if hold is None:
        raise nothing_here(request, Hold.objects.filter(pk=hold_id))
    return hold


def _shown(request: Here, more: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    number = request.GET.get("page", "1")
    place = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    member = request.membership
    decides = member.has("reviewer")
    context = {
        "inbox": cases.inbox(request.workspace, request.user, timezone.now(), place),
        "decides": decides,
        "reads": decides or may_read_content(member),
        **(more or {}),
    }
    return render_page_or_fragment(request, "escalations/inbox.html", REGIONS, context, status=status)
