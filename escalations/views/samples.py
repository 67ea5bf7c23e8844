"""`/inbox/samples/`: what went through without a person, looked at afterwards, and how much of all of it was wrong."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from escalations import samples, sampling
from escalations.models import Found, Sample
from orchestration.lib.stats import ENOUGH
from orchestration.workspaces.current import MEMBER, Here, may_read_content, needs


@require_safe
@needs(MEMBER)
def page(request: Here) -> HttpResponse:
    place, reads = request.workspace.pk, request.is_reviewer or may_read_content(request.membership)
    context = {
        "known": sampling.estimate(place, timezone.now()),
        "lines": samples.waiting(place, reads=reads),
        "reads": reads,
        "decides": request.is_reviewer,
        "needed": ENOUGH,
        "days": sampling.LATELY.days,
        "choices": Found.choices,
    }
    return render(request, "escalations/samples.html", context)


@require_POST
@needs("reviewer")
def judge(request: Here, decision_id: UUID) -> HttpResponse:
    said = request.POST.get("found", "")
    if not Sample.objects.filter(workspace=request.workspace, decision_id=decision_id).exists():
        raise Http404("This decision is in no sample here")
    if said not in Found.values:
        raise BadRequest("Say whether it was right, wrong, or cannot be told.")
    note = request.POST.get("note", "")
    if samples.judge(request.workspace.pk, decision_id, Found(said), note, request.user):
        messages.success(request, f"Noted: {Found(said).label.lower()}", extra_tags="ok")
    else:
        messages.warning(request, "Somebody has said so before: the first word stands")
    return HttpResponseRedirect(reverse("escalations:samples"))
