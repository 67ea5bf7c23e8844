"""Where one is and how it looks: switching the workspace, switching the theme, what is counted in the sidebar."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from orchestration.workspaces.current import MEMBER, SESSION_KEY, Here, needs
from orchestration.workspaces.models import User

YEAR_S = 365 * 24 * 3600
OTHER = {"light": "dark", "dark": "light"}


@require_POST
@needs(MEMBER)
def workspace(request: Here) -> HttpResponse:
    """Switch to another workspace of one's own."""
    wished = request.POST.get("workspace", "")
    for each in request.memberships:
        if each.workspace.slug == wished:
            request.session[SESSION_KEY] = each.workspace_id
            return HttpResponseRedirect(safe(request, request.POST.get("next", "")))
    raise Http404("Not a workspace of yours")


@require_POST
@needs(MEMBER)
def theme(request: Here) -> HttpResponse:
    """From light to dark and back; whoever never chose gets what the system says."""
    chosen = request.POST.get("theme") or OTHER.get(request.COOKIES.get("theme", "light"), "dark")
    chosen = chosen if chosen in OTHER else ""
    User.objects.filter(pk=request.user.pk).update(theme=chosen)
    return paint(HttpResponseRedirect(safe(request, request.headers.get("Referer", ""))), chosen)


@require_POST
@needs(MEMBER)
def density(request: Here) -> HttpResponse:
    """From comfortable rows to tight ones and back."""
    chosen = "" if request.user.density == "tight" else "tight"
    User.objects.filter(pk=request.user.pk).update(density=chosen)
    return HttpResponseRedirect(safe(request, request.headers.get("Referer", "")))


def paint(response: HttpResponse, theme: str) -> HttpResponse:
    """Pages take their theme from a cookie, so that those before log-in and after a failure have it too."""
    if theme in OTHER:
        response.set_cookie(
            "theme", theme, max_age=YEAR_S, samesite="Lax", httponly=True, secure=settings.SESSION_COOKIE_SECURE
        )
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response


@require_safe
@needs(MEMBER)
def counts(request: Here) -> HttpResponse:
    """The numbers of the sidebar, which htmx puts where they belong."""
    return render(request, "_counts.html")


def safe(request: HttpRequest, address: str) -> str:
    """An address of ours, else the overview."""
    fits = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if address and fits else "/"
