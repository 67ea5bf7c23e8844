"""What is answered when a page cannot be: what happened, what is safe, what to do. Machines get problem JSON."""

from __future__ import annotations

import contextlib
import secrets
from typing import Any

import structlog
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from orchestration.workspaces.current import Elsewhere, NotAllowed, open_to_all, settle_in
from orchestration.workspaces.models import Membership

log = structlog.get_logger(__name__)

MACHINES = ("/api/", "/v1/")
TITLES = {400: "Bad request", 403: "Not allowed", 404: "Not found", 500: "Internal error"}
MOST_NAMED = 5


class NoRun(Http404):
    """A trace whose spans are kept, though they make no run."""


@open_to_all
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    said = str(exception) if isinstance(exception, BadRequest) else ""
    return answer(request, 400, {"said": said})


@open_to_all
def denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    context: dict[str, Any] = {"said": str(exception or "")}
    if isinstance(exception, NotAllowed):
        context |= {"role": exception.role, "granters": granters(request)}
    return answer(request, 403, context)


@open_to_all
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    elsewhere = exception.workspace if isinstance(exception, Elsewhere) else None
    return answer(request, 404, {"elsewhere": elsewhere, "no_run": isinstance(exception, NoRun)})


@open_to_all
def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose token does not fit, mostly because it was open while one logged in or out elsewhere."""
    return answer(request, 403, {"stale": True})


@open_to_all
def failed(request: HttpRequest) -> HttpResponse:
    """Renders without the database, which may be what failed."""
    reference = secrets.token_hex(4)
    log.error("page failed", path=request.path, reference=reference, exc_info=True)
    if is_machine(request):
        return problem(500, f"Reference {reference}")
    context = {"reference": reference, "path": request.get_full_path(), "theme": request.COOKIES.get("theme", "")}
    if region := region_of(request):
        return HttpResponse(render_to_string("parts/failed.html", context | {"region": region}), status=500)
    return HttpResponse(render_to_string("500.html", context), status=500)


def answer(request: HttpRequest, status: int, context: dict[str, Any]) -> HttpResponse:
    if is_machine(request):
        return problem(status, context.get("said", ""))
    with contextlib.suppress(PermissionDenied, Error, AttributeError):
        if request.user.is_authenticated and not hasattr(request, "membership"):
            settle_in(request)  # type: ignore[arg-type]
    if region := region_of(request):
        return render(request, "parts/refused.html", context | {"status": status, "region": region}, status=status)
    return render(request, f"{status}.html", context, status=status)


def region_of(request: HttpRequest) -> str:
    """The id of the region that htmx would put the answer into."""
    return request.headers.get("HX-Target", "") if request.headers.get("HX-Request") == "true" else ""


def is_machine(request: HttpRequest) -> bool:
    return request.path.startswith(MACHINES)


def problem(status: int, detail: str) -> JsonResponse:
    body = {"type": "about:blank", "title": TITLES[status], "status": status, "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")


def granters(request: Any) -> list[str]:
    """Names of those who can give a role: the admins of the workspace."""
    admins = Membership.objects.filter(workspace=request.workspace, roles__contains=["admin"], user__is_active=True)
    return list(admins.order_by("user__username").values_list("user__username", flat=True)[:MOST_NAMED])
