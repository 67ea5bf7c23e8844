"""Where a person is at work: the session's workspace, what the person may do there, and what a view demands.

Every view of ours carries one of the two decorators below, which a test checks: `needs(role)` or `open_to_all`.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from orchestration.workspaces.models import Membership, User, Workspace

MEMBER = "member"  # any role will do
SESSION_KEY = "workspace"

View = Callable[..., HttpResponse]


class Here(HttpRequest):
    """A request of somebody who is logged in and at work in a workspace."""

    user: User
    membership: Membership
    memberships: list[Membership]
    workspace: Workspace
    is_operator: bool  # these three for templates, which cannot ask `membership.has`
    is_reviewer: bool
    is_admin: bool


class NotAllowed(PermissionDenied):
    """The person is a member, but lacks a role; the page says who can grant it."""

    def __init__(self, role: str) -> None:
        super().__init__(f"This needs the role {role}.")
        self.role = role


class Elsewhere(Http404):
    """The thing exists in another workspace of the same person; the page offers to switch."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("In another workspace")
        self.workspace = workspace


def needs(role: str) -> Callable[[View], View]:
    """Lets in who holds `role` (or any role: MEMBER) in the session's workspace, as `request.membership`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: Here, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return ask_to_log_in(request)
            settle_in(request)
            if role != MEMBER and not request.membership.has(role):
                raise NotAllowed(role)
            with timezone.override(zone_of(request)):
                response = view(request, *args, **kwargs)
            add_never_cache_headers(response)
            return response

        guarded.needs = role  # type: ignore[attr-defined]
        return guarded

    return decorate


def open_to_all(view: View) -> View:
    """Says that a view is meant for everyone, logged in or not."""
    view.needs = "nobody"  # type: ignore[attr-defined]
    return view


def settle_in(request: Here) -> None:
    """Finds the person's memberships and the one that counts now; refuses who has none."""
    found = Membership.objects.filter(user_id=request.user.pk).select_related("workspace").order_by("workspace_id")
    request.memberships = [each for each in found if each.roles]
    if not request.memberships:
        raise PermissionDenied("You are not a member of any workspace yet. An admin can add you to one.")
    wished = request.session.get(SESSION_KEY)
    fits = [each for each in request.memberships if each.workspace_id == wished]
    request.membership = (fits or request.memberships)[0]
    request.workspace = request.membership.workspace
    request.is_operator = request.membership.has("operator")
    request.is_reviewer = request.membership.has("reviewer")
    request.is_admin = request.membership.has("admin")


def may_read_content(membership: Membership) -> bool:
    """Prompts and results of agents are a permission of their own."""
    return membership.sees_content or membership.has("admin")


def nothing_here(request: Here, things: QuerySet[Model]) -> Http404:
    """The 404 for a thing that this workspace has not. `things`: the same thing in any workspace; where it is one of
    this person's others, the answer says so."""
    others = {each.workspace_id: each.workspace for each in request.memberships if each != request.membership}
    if others:
        place = things.filter(workspace_id__in=others).values_list("workspace_id", flat=True).first()
        if place is not None:
            return Elsewhere(others[place])
    return Http404("Not in this workspace")


def zone_of(request: Here) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(request.user.zone or request.workspace.zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def ask_to_log_in(request: HttpRequest) -> HttpResponse:
    """To the log-in page and back; a region that htmx asked for would show the log-in form, so the page goes there."""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(request.get_full_path())
    shown = urlsplit(request.headers.get("HX-Current-URL", ""))
    place = f"{shown.path}?{shown.query}" if shown.query else shown.path
    if not re.match(r"/(?!/)", place):  # a path of ours, and no other host
        place = "/"
    response = HttpResponse(status=401)
    response["HX-Redirect"] = redirect_to_login(place, settings.LOGIN_URL).url
    return response
