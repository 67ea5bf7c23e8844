"""What the environment must not be: system checks with an id and a hint, run at every start."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from orchestration.ledger import guard

LOCAL = {"localhost", "127.0.0.1", "::1"}
INSIDE = (".local", ".internal", ".lan", ".home.arpa")


@register(Tags.security)
def environment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [*public_address(), *secret_key(), *plain_http()]


def is_local(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host in LOCAL


@register(Tags.database)
def ledger(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Asked when there is a database to ask: at the end of each start, and by `check --database default`."""
    if not databases or not guard.unguarded():
        return []
    return [Warning(guard.WORDS, hint=guard.HINT, id="baton.W002")]


def public_address() -> list[CheckMessage]:
    if is_local(settings.BATON_HOST) or settings.PUBLIC_URL:
        return []
    words = (
        "BATON_HOST opens Baton to other machines, but BATON_PUBLIC_URL does not say at which address people reach it."
    )
    return [Error(words, hint="Set BATON_PUBLIC_URL, e.g. to https://baton.example.org.", id="baton.E001")]


def secret_key() -> list[CheckMessage]:
    if len(settings.SECRET_KEY) >= 50 and len(set(settings.SECRET_KEY)) >= 5:
        return []
    words = "BATON_SECRET_KEY is too short or too plain to sign sessions with."
    return [Error(words, hint="Give 50 random characters, or leave it out: one is made and kept.", id="baton.E002")]


def plain_http() -> list[CheckMessage]:
    url = settings.PUBLIC_URL
    if url is None or settings.SECURE or is_local(url.hostname):
        return []
    words = "BATON_PUBLIC_URL is plain http: passwords and sessions cross the network readable."
    hint = "Put a proxy with a certificate in front and use https."
    if is_inside(url.hostname):
        return [Warning(words, hint=hint, id="baton.W001")]
    return [Error(words, hint=hint, id="baton.E003")]


def is_inside(host: str | None) -> bool:
    """Whether a name or address is of a network of one's own, where plain http is a risk that may be taken."""
    try:
        return ipaddress.ip_address(host or "").is_private
    except ValueError:
        return "." not in (host or "") or (host or "").endswith(INSIDE)
