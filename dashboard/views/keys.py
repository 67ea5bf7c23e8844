"""`/settings/keys/`: keys of machines. A new one is shown once; a withdrawn one is refused within seconds."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.forms import KeyForm
from orchestration.workspaces.current import Here, needs
from orchestration.workspaces.keys import create_key, revoke
from orchestration.workspaces.models import ApiKey

FORMS = "key_forms"  # in the session: forms that were given out and not sent yet
OPEN_FORMS = 5
P = ParamSpec("P")
View = Callable[Concatenate[Here, P], HttpResponse]


def freshly_proven(view: View[P]) -> View[P]:
    """Asks for the password again, unless it was given in the last minutes: a session alone makes no key."""

    @wraps(view)
    def guarded(request: Here, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        proofs = [record["at"] for record in get_authentication_records(request, request.user)]
        if time.time() - max(proofs, default=0.0) > settings.ACCOUNT_REAUTHENTICATION_TIMEOUT:
            raise ReauthenticationRequired
        return view(request, *args, **kwargs)

    return guarded


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
@freshly_proven
def page(request: Here) -> HttpResponse:
    form = KeyForm(request.POST or None)
    made, plain = None, ""
    if request.method == "POST" and form.is_valid():
        if not sent_first(request):
            messages.warning(request, "This form was sent before; its key was shown then.", extra_tags="human")
            return HttpResponseRedirect(reverse("dashboard:keys"))
        said = form.cleaned_data
        made, plain = create_key(request.workspace, said["name"], said["scopes"], said["agents"], request.user)
        form = KeyForm()
    keys = ApiKey.objects.filter(workspace=request.workspace).order_by("revoked_at", "name", "id")
    context = {"form": form, "keys": keys, "made": made, "plain": plain, "once": once(request)}
    return render(request, "dashboard/keys.html", context, status=422 if form.errors else 200)


@require_POST
@needs("admin")
@freshly_proven
def withdraw(request: Here, key_id: int) -> HttpResponse:
    key = ApiKey.objects.filter(workspace=request.workspace, pk=key_id).first()
    if key is None:
        raise Http404("Not a key of this workspace")
    if revoke(key):
        messages.success(request, f"Revoked {key.name}. It is refused within 5 seconds.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:keys"))


def once(request: Here) -> str:
    """A token for one form, so that a double press makes one key."""
    token = secrets.token_urlsafe(12)
    request.session[FORMS] = [*request.session.get(FORMS, []), token][-OPEN_FORMS:]
    return token


def sent_first(request: Here) -> bool:
    waiting = request.session.get(FORMS, [])
    token = request.POST.get("once", "")
    request.session[FORMS] = [each for each in waiting if each != token]
    return token in waiting
