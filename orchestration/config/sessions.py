"""How people log in, how often that may be tried, and how long they stay."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from dashboard.views.place import paint

Answer = Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]
TOUCH = 300  # seconds; the idle limit need not be more exact than this, and a write per request is dear


class LoginAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth tells no types
    """Nobody signs up, and failed tries count per name *and* address: a stranger cannot lock out the true person."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        name = str(credentials.get("username", "")).lower()
        return f"{self.get_client_ip(request)}:{name}"

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("dashboard:profile")

    def post_login(self, request: HttpRequest, user: Any, **details: Any) -> HttpResponse:
        """A new browser gets the theme that this person has chosen in another one."""
        response: HttpResponse = super().post_login(request, user, **details)
        return paint(response, user.theme) if user.theme else response


class SecondStepAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """What an authenticator's codes are made from is stored encrypted: a copy of the database opens no account."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """With another BATON_SECRET_KEY nothing can be decrypted, and no code may fit. Codes of an empty secret could
        be worked out by anybody, so a secret that nobody knows stands for the lost one."""
        with contextlib.suppress(InvalidToken):
            return _cipher().decrypt(encrypted_text.encode()).decode()
        return base64.b32encode(secrets.token_bytes(20)).decode()


def _cipher() -> Fernet:
    digest = hashlib.sha256(b"baton.second-step\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


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
