"""Reads the environment: typed, and loud on nonsense.

Every function takes the name of the variable and answers a value that needs no further check, or raises
`ImproperlyConfigured` with a sentence that names the variable. Secrets may also be given as a file: `NAME_FILE`.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


def nonsense(name: str, wanted: str) -> ImproperlyConfigured:
    """The error for a variable that cannot be used. The value is not repeated: it may be a secret."""
    return ImproperlyConfigured(f"{name} {wanted}.")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool = False) -> bool:
    value = os.environ.get(name)
    if value is None:
        return default
    if value.strip().lower() not in TRUE | FALSE:
        raise nonsense(name, "must be 1 or 0")
    return value.strip().lower() in TRUE


def number(name: str, default: int, low: int, high: int) -> int:
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise nonsense(name, f"must be a whole number from {low} to {high}")
    return int(value)


def secret(name: str) -> str:
    """The value of NAME, or the content of the file that NAME_FILE names."""
    file = text(f"{name}_FILE")
    if not file:
        return text(name)
    if text(name):
        raise nonsense(name, f"and {name}_FILE are both set: keep one of them")
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise nonsense(f"{name}_FILE", f"names a file that cannot be read ({error.strerror})") from error


def web_address(name: str) -> SplitResult | None:
    """An http(s) address of a site: scheme and host, and nothing behind them."""
    value = text(name)
    if not value:
        return None
    parts = urlsplit(value)
    try:
        parts.port  # noqa: B018  the property raises on a port that is none
    except ValueError as error:
        raise nonsense(name, "has a port that is no number from 0 to 65535") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise nonsense(name, "must be an address such as https://baton.example.org")
    if parts.path.rstrip("/") or parts.query or parts.fragment or parts.username:
        raise nonsense(name, "must be scheme and host only: Baton cannot live below a path")
    return parts


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks with commas, e.g. 10.1.0.0/16, 127.0.0.1."""
    try:
        return [ip_network(each.strip()) for each in text(name).split(",") if each.strip()]
    except ValueError as error:
        raise nonsense(name, "must be networks with commas, such as 10.1.0.0/16, 127.0.0.1") from error


def mail(name: str) -> dict[str, Any]:
    """Django's e-mail settings out of one address, e.g. smtp+tls://user:password@mail.example.org:587?from=me@example.org.
    Without `from` it is the user, where that is an address, else baton at the host."""
    value = secret(name)
    if not value:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    parts = urlsplit(value)
    if parts.scheme not in MAIL_PORTS or not parts.hostname:
        raise nonsense(name, "must be smtp://, smtp+tls:// or smtps:// with a host")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or MAIL_PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": 10,
        "DEFAULT_FROM_EMAIL": _sender(name, parts),
    }


def _sender(name: str, parts: SplitResult) -> str:
    user = unquote(parts.username or "")
    wished = parse_qs(parts.query).get("from", [user if "@" in user else f"baton@{parts.hostname}"])[0]
    if "@" not in wished or not wished.isprintable() or " " in wished:
        raise nonsense(name, "must say an address after ?from=")
    return wished
