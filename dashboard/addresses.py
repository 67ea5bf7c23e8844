"""The address by which others reach this Baton."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def public_address(request: HttpRequest) -> str:
    """The address people use, as configured, else the one of this request; without a slash at its end."""
    public = settings.PUBLIC_URL
    return str(public.geturl() if public else request.build_absolute_uri("/")).rstrip("/")
