"""What is posted from the inbox: verdicts and other acts on a batch, taking them back, and who is looking at what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from escalations import acts, claims, sorting
from escalations.acts import By, Changed, Done, Hasty
from escalations.forms import ActForm
from escalations.models import Act, Batch, Escalation, Verb
from escalations.sorting import Nobody
from escalations.views.inbox import asked_for, shown
from orchestration.holds.models import Hold
from orchestration.holds.verdicts import Unreasoned
from orchestration.workspaces.current import Here, needs, nothing_here

PERFORM: dict[str, Callable[[By, Batch, ActForm], Done]] = {
    Verb.SPLIT: sorting.split,
    Verb.ASSIGN: sorting.assign,
    Verb.ESCALATE: sorting.escalate,
    Verb.SNOOZE: sorting.snooze,
}


@require_POST
@needs("reviewer")
def decide(request: Here, batch_id: UUID) -> HttpResponse:
    batch, form = asked_for(request, batch_id), ActForm(request.POST)
    if not form.is_valid():
        return _refused(request, batch, form)
    by = By(request.workspace, request.user, form.cleaned_data["key"])
    try:
        done = PERFORM.get(form.cleaned_data["act"], acts.decide)(by, batch, form)
    except Hasty as hasty:
        return _refused(request, batch, form, {"hasty": hasty})
    except Changed as changed:
        return _refused(request, batch, form, {"changed": changed}, status=409)
    except Nobody:
        form.add_error(None, "Nobody else here may decide this.")
        return _refused(request, batch, form)
    except Unreasoned as error:
        form.add_error(None, str(error))
        return _refused(request, batch, form)
    if done.lost:
        kept = frozenset(form.asked) - done.unlooked
        return _refused(request, batch, form, {"lost": done, "kept": kept}, status=409)
    return _onward(request, batch, form)


def _refused(
    request: Here, batch: Batch, form: ActForm, more: dict[str, Any] | None = None, *, status: int = 422
) -> HttpResponse:
    """Back to the batch with the reason; what was chosen stays chosen."""
    told = {"form": form, "kept": frozenset(form.asked), "said": form.data.get("act", "")}
    return shown(request, asked_for(request, batch.pk), told | (more or {"wrong": form}), status=status)


def _onward(request: Here, batch: Batch, form: ActForm) -> HttpResponse:
    """To what is left of the batch, else to the next one."""
    left = Batch.objects.filter(pk=batch.pk, closed_at=None, cases__gt=0).first()
    stays = left is not None and form.cleaned_data["act"] not in (Verb.SNOOZE, Verb.ASSIGN, Verb.ESCALATE)
    following = left if stays else _following(request)
    if following is not None:
        claims.take(following, request.user, timezone.now())
    else:
        claims.leave(batch, request.user)
    if request.headers.get("HX-Request") == "true":
        return shown(request, asked_for(request, following.pk) if following else None)
    path = reverse("escalations:batch", args=[following.pk]) if following else reverse("escalations:inbox")
    return HttpResponseRedirect(path + _query(request))


def _query(request: Here) -> str:
    told = request.GET.copy()
    told.pop("case", None)
    return f"?{told.urlencode()}" if told else ""


def _following(request: Here) -> Batch | None:
    """The one that the page named as the next, if it still waits."""
    try:
        named = UUID(request.POST.get("next", ""))
    except ValueError:
        return None
    return Batch.objects.filter(workspace=request.workspace, pk=named, closed_at=None, cases__gt=0).first()


@require_POST
@needs("reviewer")
def undo(request: Here, act_id: UUID) -> HttpResponse:
    act = Act.objects.filter(workspace=request.workspace, pk=act_id, person=request.user).first()
    if act is None:
        raise nothing_here(request, Act.objects.filter(pk=act_id, person=request.user))
    back = acts.undo(act, request.user)
    batch = Batch.objects.filter(workspace=request.workspace, pk=act.batch_id).first()
    if not back and Act.objects.filter(pk=act.pk, undone_at=None).exists():
        told = {"too_late": act}
        return shown(request, asked_for(request, batch.pk) if batch else None, told, status=409)
    if request.headers.get("HX-Request") == "true":
        return shown(request, asked_for(request, batch.pk) if batch else None, {"undone": act})
    path = reverse("escalations:batch", args=[batch.pk]) if batch else reverse("escalations:inbox")
    return HttpResponseRedirect(path + _query(request))


@require_POST
@needs("reviewer")
def claim(request: Here, batch_id: UUID) -> HttpResponse:
    claims.take(asked_for(request, batch_id), request.user, timezone.now())
    return HttpResponse(status=204)


@require_POST
@needs("reviewer")
def leave(request: Here, batch_id: UUID) -> HttpResponse:
    claims.leave(asked_for(request, batch_id), request.user)
    return HttpResponse(status=204)


@require_POST
@needs("reviewer")
def look_elsewhere(request: Here, batch_id: UUID, hold_id: UUID) -> HttpResponse:
    """To the run of a case; that a reviewer had to look outside the inbox is kept with the case."""
    asked_for(request, batch_id)
    hold = Hold.objects.filter(workspace=request.workspace, pk=hold_id).exclude(run_id=None).first()
    if hold is None:
        raise nothing_here(request, Hold.objects.filter(pk=hold_id))
    Escalation.objects.filter(pk=hold.pk, batch=batch_id).update(elsewhere=True)
    return HttpResponseRedirect(reverse("dashboard:run", args=[hold.run_id]))
