"""How long people stay logged in, and how often a log-in may be tried."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]
TOUCH = 300  # seconds; the idle limit need not be more exact than this, and a write per request is dear


class LoginAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth tells no types
    """Nobody signs up, and failed tries count per name *and* address: a stranger cannot lock out the true person."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        name = str(credentials.get("username", "")).lower()
        return f"{self.get_client_ip(request)}:{name}"


def limited_age(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Ends a session that is too old in all, and renews one in use (its cookie expires when idle)."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.session.session_key and request.user.is_authenticated:
            now = int(time.time())
            begun = request.session.setdefault("begun", now)
            if now - begun > settings.SESSION_ABSOLUTE_AGE:
                logout(request)
            elif now - request.session.get("seen", 0) > TOUCH:
                request.session["seen"] = now
        return get_response(request)

    return answer
