"""`/accounts/join/<secret>/`: where an invitation leads. Looking at it uses nothing up: mail programs look at links."""

from __future__ import annotations

import contextlib
from typing import Any, cast

from allauth.account.internal.flows.login import record_authentication
from django.contrib import messages
from django.contrib.auth import login
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from dashboard.forms import JoinForm
from orchestration.control import administration
from orchestration.workspaces import invitations
from orchestration.workspaces.current import SESSION_KEY, open_to_all
from orchestration.workspaces.models import Invitation, User

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@open_to_all
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, secret: str) -> HttpResponse:
    invitation = invitations.find(secret)
    if invitation is None or not is_open(invitation):
        response = used(request, invitation)
    elif request.user.is_authenticated:
        response = as_oneself(request, invitation)
    else:
        response = as_somebody_new(request, invitation)
    add_never_cache_headers(response)
    # The address is the secret. Without any referrer browsers would send the form as from nowhere, which is refused.
    response["Referrer-Policy"] = "strict-origin"
    return response


def is_open(invitation: Invitation) -> bool:
    ended = invitation.accepted_at or invitation.withdrawn_at
    return ended is None and invitation.expires_at > timezone.now()


def used(request: HttpRequest, invitation: Invitation | None) -> HttpResponse:
    """A second press of the one who has just joined goes on to where the first one led."""
    if invitation and request.user.is_authenticated and invitation.accepted_by_id == request.user.pk:
        return enter(request, invitation)
    return render(request, "account/join_ended.html", {"invitation": invitation}, status=410 if invitation else 404)


def as_oneself(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    if request.method != "POST":
        return shown(request, invitation, None)
    if administration.join(invitation, cast(User, request.user)) is None:
        return used(request, invitations.refreshed(invitation))
    return enter(request, invitation)


def as_somebody_new(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    form = JoinForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return shown(request, invitation, form)
    user = admitted(form, invitation)
    if user is None:
        return used(request, invitations.refreshed(invitation))
    login(request, user, backend=BACKEND)
    record_authentication(request, user, method="password")
    return enter(request, invitation)


def admitted(form: JoinForm, invitation: Invitation) -> User | None:
    """A new account that has used the invitation. None when another press was quicker: its account is the one."""
    with contextlib.suppress(IntegrityError), transaction.atomic():
        user: User = form.save()
        if administration.join(invitation, user):
            return user
        transaction.set_rollback(True)
    return None


def shown(request: HttpRequest, invitation: Invitation, form: JoinForm | None) -> HttpResponse:
    context: dict[str, Any] = {"invitation": invitation, "form": form}
    return render(request, "account/join.html", context, status=422 if form and form.errors else 200)


def enter(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    request.session[SESSION_KEY] = invitation.workspace_id
    messages.success(request, f"Joined {invitation.workspace.name}.", extra_tags="ok")
    return HttpResponseRedirect("/")
