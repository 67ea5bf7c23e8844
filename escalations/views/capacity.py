"""`/settings/capacity/`: when people review and how much, how fast cases go, and how verdicts agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from escalations import assigning, pace, strength
from escalations.duty_forms import HoursForm
from escalations.matching import Load, next_hour, shift_end
from escalations.models import Duty
from escalations.pace import Measure
from escalations.sorting import reviewers
from escalations.words import person as named
from orchestration.ledger import entries
from orchestration.lib.stats import ENOUGH
from orchestration.workspaces.current import Here, NotAllowed, needs
from orchestration.workspaces.models import Membership, User


@dataclass(frozen=True, slots=True)
class Line:
    """Somebody who may decide: `until` is when they leave, `back` when they are there again."""

    person: User
    minutes_a_day: int
    until: datetime | None
    back: datetime | None
    load: Load
    measures: list[Measure]


@require_http_methods(["GET", "HEAD", "POST"])
@needs("reviewer")
def page(request: Here) -> HttpResponse:
    member = whose(request)
    duty = Duty.objects.filter(workspace=request.workspace, person=member.user).first()
    form = HoursForm(request.POST if request.method == "POST" else None, duty=duty)
    if request.method == "POST" and form.is_valid():
        save(request, member.user, form)
        messages.success(request, f"Saved the hours of {named(member.user)}", extra_tags="ok")
        own = member.user_id == request.user.pk
        return HttpResponseRedirect(reverse("escalations:capacity") + ("" if own else f"?person={member.user_id}"))
    return shown(request, member, form, status=422 if form.errors else 200)


def whose(request: Here) -> Membership:
    """The member who is asked for: oneself, or anybody for an admin."""
    asked = request.GET.get("person", "")
    pk = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else request.user.pk
    if pk != request.user.pk and not request.is_admin:
        raise NotAllowed("admin")
    found: Membership | None = reviewers(request.workspace).filter(user_id=pk).first()
    if found is None:
        raise Http404("Nobody who reviews here")
    return found


def save(request: Here, person: User, form: HoursForm) -> None:
    said = form.cleaned_data
    values = {name: said[name] for name in ("hours", "minutes_a_day", "away_until")}
    with transaction.atomic():
        duty, made = Duty.objects.select_for_update().get_or_create(
            workspace=request.workspace, person=person, defaults=values
        )
        if not made and all(getattr(duty, name) == value for name, value in values.items()):
            return
        Duty.objects.filter(pk=duty.pk).update(**values)
        name, who = person.get_username(), f"person:{request.user.get_username()}"
        told = {"name": name, "minutes_a_day": values["minutes_a_day"]}
        entries.record(request.workspace.pk, "duty.changed", ("person", name), who, told, timezone.now())
    assigning.match()
    strength.write(request.workspace)


def shown(request: Here, member: Membership, form: HoursForm, status: int = 200) -> HttpResponse:
    lines = lines_of(request)
    chosen = next(line for line in lines if line.person.pk == member.user_id)
    context = {
        "form": form,
        "lines": lines if request.is_admin else [chosen],
        "chosen": chosen,
        "own": member.user_id == request.user.pk,
        "there": sum(line.until is not None for line in lines),
        "all": len(lines),
        "zone": request.workspace.zone,
        "days": pace.LATELY.days,
        "enough": ENOUGH,
    }
    return render(request, "escalations/capacity.html", context, status=status)


def lines_of(request: Here) -> list[Line]:
    now = timezone.now()
    scene = assigning.scene(request.workspace.pk, now)
    measures = pace.measures(pace.said(request.workspace.pk, now))
    duties = {each.person_id: each for each in Duty.objects.filter(workspace=request.workspace)}
    found = []
    for member in reviewers(request.workspace):
        person, duty = scene.people.get(member.user_id), duties.get(member.user_id)
        until = shift_end(person, scene.now) if person else None
        back = next_hour(person, scene.now) if person and until is None else None
        load = scene.loads.get(member.user_id, Load())
        daily = duty.minutes_a_day if duty else 240
        found.append(Line(member.user, daily, until, back, load, measures.get(member.user_id, [])))
    return found
