"""Where one is and how it looks: switching the workspace, switching the theme."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from orchestration.workspaces.current import MEMBER, SESSION_KEY, Here, needs

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
    response = HttpResponseRedirect(safe(request, request.headers.get("Referer", "")))
    if chosen in OTHER:
        response.set_cookie(
            "theme", chosen, max_age=YEAR_S, samesite="Lax", httponly=True, secure=settings.SESSION_COOKIE_SECURE
        )
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response


def safe(request: HttpRequest, address: str) -> str:
    """An address of ours, else the overview."""
    fits = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if address and fits else "/"
