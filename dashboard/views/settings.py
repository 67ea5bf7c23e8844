"""`/settings/`: leads to the first page of settings that this person has."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from orchestration.workspaces.current import MEMBER, Here, needs


@require_safe
@needs(MEMBER)
def index(request: Here) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard:profile"))
