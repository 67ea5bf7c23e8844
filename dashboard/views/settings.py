"""`/settings/…`: one's own profile, and what an admin sets for the workspace: prices."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.forms import PriceRows, ProfileForm
from orchestration.registry.models import Price
from orchestration.workspaces.current import MEMBER, Here, needs


@require_safe
@needs(MEMBER)
def index(request: Here) -> HttpResponse:
    """The first page of settings that this person has."""
    first = "health" if request.membership.has("operator") else "profile"
    return HttpResponseRedirect(reverse(f"dashboard:{first}"))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(MEMBER)
def profile(request: Here) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved your profile.", extra_tags="ok")
        return HttpResponseRedirect(reverse("dashboard:profile"))
    return render(request, "dashboard/profile.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
def prices(request: Here) -> HttpResponse:
    """The price table, all rows in one form; figures already counted keep the price of their time."""
    rows = PriceRows(request.POST or None, queryset=Price.objects.filter(workspace=request.workspace).order_by("model"))
    if request.method == "POST" and rows.is_valid() and save(rows, request):
        messages.success(request, "Saved prices. They hold for what arrives from now on.", extra_tags="ok")
        return HttpResponseRedirect(reverse("dashboard:prices"))
    wrong = request.method == "POST"
    return render(request, "dashboard/prices.html", {"rows": rows, "wrong": wrong}, status=422 if wrong else 200)


def save(rows: Any, request: Here) -> bool:
    """Stores what was changed. False when somebody else has added the same model meanwhile."""
    try:
        with transaction.atomic():
            for price in rows.save(commit=False):
                price.workspace = request.workspace
                price.save()
            for gone in rows.deleted_objects:
                gone.delete()
    except IntegrityError:
        messages.error(request, "Somebody else has added the same model meanwhile.", extra_tags="crit")
        return False
    return True
