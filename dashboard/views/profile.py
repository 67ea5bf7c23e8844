"""`/settings/profile/`: what belongs to the person and not to the workspace. Each section is saved alone."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.forms import ModelForm
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.forms import LookForm, ZoneForm
from dashboard.views.place import paint
from orchestration.workspaces.current import MEMBER, Here, needs, zone_of

SECTIONS: dict[str, tuple[type[ModelForm[Any]], str]] = {
    "look": (LookForm, "Saved how it looks."),
    "time": (ZoneForm, "Saved your time zone."),
}


@require_http_methods(["GET", "HEAD", "POST"])
@needs(MEMBER)
def page(request: Here) -> HttpResponse:
    """The section that was sent is read, and no other."""
    sent = request.POST.get("section", "") if request.method == "POST" else ""
    forms = {
        name: form(request.POST if name == sent else None, instance=request.user)
        for name, (form, _) in SECTIONS.items()
    }
    if sent in forms and forms[sent].is_valid():
        forms[sent].save()
        messages.success(request, SECTIONS[sent][1], extra_tags="ok")
        return paint(HttpResponseRedirect(reverse("dashboard:profile")), request.user.theme)
    wrong = request.method == "POST"
    if wrong:
        request.user.refresh_from_db()  # a form that was refused has changed the person all the same
    context = forms | {"wrong": wrong, "zone": zone_of(request), "second_step": second_step(request)}
    return render(request, "dashboard/profile.html", context, status=422 if wrong else 200)


def second_step(request: Here) -> dict[str, Any]:
    """Whether logging in takes a second step, and how many recovery codes are left for when the device is not."""
    kinds = {each.type: each for each in Authenticator.objects.filter(user=request.user)}
    codes = kinds.get(Authenticator.Type.RECOVERY_CODES)
    return {
        "since": kinds[Authenticator.Type.TOTP].created_at if Authenticator.Type.TOTP in kinds else None,
        "codes": len(codes.wrap().get_unused_codes()) if codes else 0,
    }
