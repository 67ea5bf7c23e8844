"""`/settings/skills/`: who may decide what, up to which amount, and what somebody has to keep away from."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from escalations import assigning, skills
from escalations.duty_forms import InterestForm
from escalations.models import Interest
from escalations.sorting import reviewers
from escalations.words import person as named
from orchestration.ledger import entries
from orchestration.lib.templatetags.baton import plural
from orchestration.workspaces.current import MEMBER, Here, NotAllowed, needs


@require_http_methods(["GET", "HEAD", "POST"])
@needs("reviewer")
def page(request: Here) -> HttpResponse:
    if request.method != "POST":
        return shown(request, skills.table(request.workspace))
    if not request.is_admin:
        raise NotAllowed("admin")
    found = skills.sent(request.workspace, request.POST.dict())
    if skills.faults(found):
        return shown(request, found, status=422)
    changed = skills.save(request.workspace, found, request.user)
    if changed:
        assigning.match()
    said = f"Saved the skills of {plural(changed, 'person,people')}" if changed else "Nothing had changed"
    messages.success(request, said, extra_tags="ok")
    return back()


@require_safe
@needs(MEMBER)
def uncovered(request: Here) -> HttpResponse:
    """For the pages that say what waits for somebody who is not there."""
    return render(request, "escalations/_uncovered.html", {"missing": assigning.uncovered(request.workspace)})


@require_POST
@needs("admin")
def add_interest(request: Here) -> HttpResponse:
    form = InterestForm(request.POST, people=people(request))
    if not form.is_valid():
        return shown(request, skills.table(request.workspace), form=form, status=422)
    said = form.cleaned_data
    try:
        with transaction.atomic():
            fields = {"person_id": said["person"], "subject": said["subject"], "why": said["why"]}
            made = Interest.objects.create(workspace=request.workspace, **fields)
            note(request, "interest.added", made)
    except IntegrityError:
        messages.success(request, "That was known already", extra_tags="ok")
    else:
        messages.success(request, f"{named(made.person)} is kept from such cases", extra_tags="ok")
    return back()


@require_POST
@needs("admin")
def remove_interest(request: Here, interest_id: int) -> HttpResponse:
    """A second press finds nothing more to remove."""
    with transaction.atomic():
        found = Interest.objects.select_for_update().filter(workspace=request.workspace, pk=interest_id).first()
        if found is None:
            raise Http404("Not an interest in this workspace")
        note(request, "interest.removed", found)
        found.delete()
    messages.success(request, "Removed", extra_tags="ok")
    return back()


def note(request: Here, kind: str, interest: Interest) -> None:
    """Neither whom it touches nor why: both may be private."""
    name = interest.person.get_username()
    who = f"person:{request.user.get_username()}"
    entries.record(request.workspace.pk, kind, ("person", name), who, {"name": name}, timezone.now())


def people(request: Here) -> list[tuple[int, str]]:
    return [(each.user_id, named(each.user)) for each in reviewers(request.workspace)]


def shown(request: Here, table: skills.Table, *, form: InterestForm | None = None, status: int = 200) -> HttpResponse:
    now = timezone.now().astimezone(assigning.zone_of(request.workspace.pk))
    covered = skills.coverage(request.workspace, [skill for skill in table.skills if skill], now)
    context = {
        "table": table,
        "faults": skills.faults(table),
        "levels": skills.LEVELS.items(),
        "coverage": covered,
        "gaps": [skill for skill, hours in covered if not hours[now.hour].there],
        "today": now,
        "missing": assigning.uncovered(request.workspace),
        "interests": Interest.objects.select_related("person").filter(workspace=request.workspace).order_by("pk")[:200],
        "form": form or InterestForm(people=people(request)),
    }
    return render(request, "escalations/skills.html", context, status=status)


def back() -> HttpResponse:
    return HttpResponseRedirect(reverse("escalations:skills"))
