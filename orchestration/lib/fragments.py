"""One address, two answers: the whole page, or the one region of it that htmx asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails


def wanted(request: HttpRequest) -> str:
    """The id of the region that htmx wants to replace; "" when the whole page is wanted."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    if not htmx or htmx.boosted or htmx.history_restore_request:
        return ""
    return htmx.target or ""


def render_page_or_fragment(
    request: HttpRequest, page: str, fragments: Mapping[str, str], context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    """Renders `page`, or the template that `fragments` names for the id of the region asked for."""
    response = render(request, fragments.get(wanted(request), page), dict(context), status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response
