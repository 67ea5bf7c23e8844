"""`/inbox/precedents/`: verdicts that speak for later cases like those in which they were said: kept, listed with what
they decided, revoked."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from escalations import precedents, spoken
from escalations.covering import Bounds
from escalations.models import Act, Precedent, Verb
from escalations.precedent_forms import KeepForm
from escalations.precedents import LASTS, NotKept, Offer
from orchestration.lib.templatetags.baton import plural
from orchestration.workspaces.current import MEMBER, Here, may_read_content, needs, nothing_here


@require_safe
@needs(MEMBER)
def page(request: Here) -> HttpResponse:
    now = timezone.now()
    live, past = spoken.listed(request.workspace.pk, now)
    context = {
        "live": live,
        "past": past,
        "waiting": sum(each.waiting for each in live),
        "decides": request.is_reviewer,
        "acts": spoken.to_keep(request.workspace.pk, request.user, now) if request.is_reviewer else [],
    }
    return render(request, "escalations/precedents.html", context)


@require_safe
@needs(MEMBER)
def one(request: Here, precedent_id: UUID) -> HttpResponse:
    found = _found(request, precedent_id)
    reads = request.is_reviewer or may_read_content(request.membership)
    context = {
        "each": spoken.one(found, timezone.now()),
        "lines": spoken.lines(Bounds.of(found.shape, found.within)) if reads else [],
        "texts": len(found.shape.get("texts", ())),
        "told": spoken.decided(found),
        "most": spoken.MOST_TOLD,
        "reads": reads,
        "decides": request.is_reviewer,
    }
    return render(request, "escalations/precedent.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("reviewer")
def keep(request: Here, act_id: UUID) -> HttpResponse:
    act = Act.objects.filter(workspace=request.workspace, pk=act_id, person=request.user).first()
    if act is None:
        raise nothing_here(request, Act.objects.filter(pk=act_id, person=request.user))
    now = timezone.now()
    before = Precedent.objects.filter(workspace=request.workspace, act_id=act.pk, revoked_at=None).first()
    if before is not None:  # also a second press of the same
        return HttpResponseRedirect(reverse("escalations:precedent", args=[before.pk]))
    try:
        offer = precedents.offer(act, request.user, now)
    except NotKept as error:
        status = 409 if request.method == "POST" else 200
        return render(request, "escalations/precedent_keep.html", {"why": str(error), "act": act}, status=status)
    limits = spoken.lines(offer.bounds)
    if request.method != "POST":
        return _asked(request, offer, KeepForm(limits=limits), limits)
    form = KeepForm(request.POST, limits=limits)
    if not form.is_valid():
        return _asked(request, offer, form, limits, status=422)
    return _kept(request, offer, form, limits)


def _kept(request: Here, offer: Offer, form: KeepForm, limits: list[spoken.Line]) -> HttpResponse:
    try:
        made = precedents.keep(offer, form.wish, request.user, timezone.now())
    except NotKept as error:
        form.add_error(None, str(error))
        return _asked(request, offer, form, limits, status=409)
    messages.success(request, "Kept: it speaks for such cases from now on", extra_tags="ok")
    return HttpResponseRedirect(reverse("escalations:precedent", args=[made.pk]))


def _asked(
    request: Here, offer: Offer, form: KeepForm, limits: list[spoken.Line], *, status: int = 200
) -> HttpResponse:
    numbers = [(each, *form.sent(each)) for each in limits if each.low is not None]
    context = {
        "offer": offer,
        "says": spoken.SAYS[Verb(offer.act.verb)],
        "form": form,
        "numbers": numbers,
        "others": [each for each in limits if each.low is None],
        "texts": len(offer.bounds.texts),
        "lasts": LASTS.items(),
        "days": int(form["days"].value() or 90) if str(form["days"].value() or "90").isdigit() else 90,
    }
    return render(request, "escalations/precedent_keep.html", context, status=status)


@require_POST
@needs("reviewer")
def revoke(request: Here, precedent_id: UUID) -> HttpResponse:
    found = _found(request, precedent_id)
    touched = precedents.revoke(found, request.user, request.POST.get("why", ""))
    if touched is None:
        messages.warning(request, "It was revoked before")
    else:
        part = f"It had a part in {plural(touched, 'case,cases')}, listed here" if touched else "It decided nothing"
        messages.success(request, f"Revoked. {part}", extra_tags="ok")
    return HttpResponseRedirect(reverse("escalations:precedent", args=[found.pk]))


def _found(request: Here, precedent_id: UUID) -> Precedent:
    found = Precedent.objects.filter(workspace=request.workspace, pk=precedent_id).first()
    if found is None:
        raise nothing_here(request, Precedent.objects.filter(pk=precedent_id))
    return found
