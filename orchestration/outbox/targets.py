"""Where a webhook may lead. A URL is somebody's wish: behind it must be a public address, and the connection goes to
the very address that was looked at, so that a name which changes its mind in between reaches nothing inside.

`WEBHOOK_NETWORKS` names networks of one's own in which receivers may stand, there by plain http too.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

MOST_CHARS = 2000
OPEN_LETTER = "The address begins with https://, else anybody on the way could read what is sent."
PORTS = {"https": 443, "http": 80}
# addresses that carry another one, which a router on the way may unpack
_CARRIERS = [ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(ValueError):
    """A URL that Baton does not call; the text says why, in words for the admin who wants it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place that was looked at. `host` is what certificate and Host header speak of."""

    secure: bool
    host: str
    port: int
    path: str
    address: Address

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


def resolve(url: str) -> Target:
    """Looks the name up, once. Raises Refused."""
    secure, host, port, path = _parts(url)
    if not secure and not settings.WEBHOOK_NETWORKS:
        raise Refused(OPEN_LETTER)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        raise Refused(f"The name {host} leads nowhere.") from None
    addresses = [_plain(str(each[4][0])) for each in found]
    for address in addresses:
        _check(address, secure=secure)
    if not addresses:
        raise Refused(f"The name {host} leads nowhere.")
    return Target(secure, host, port, path, addresses[0])


def _parts(url: str) -> tuple[bool, str, int, str]:
    if len(url) > MOST_CHARS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Refused("Give an address such as https://hooks.example.org/baton, in plain letters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("This is no address that can be called.") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise Refused("The address begins with https:// and names a host.")
    if parts.username is not None or parts.password is not None:
        raise Refused("A password has no place in an address: what Baton sends is signed.")
    if port == 0:
        raise Refused("Port 0 is none.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme == "https", parts.hostname, port or PORTS[parts.scheme], path


def _plain(text: str) -> Address:
    """An address without what disguises it: an IPv4 address written as IPv6 is that IPv4 address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _check(address: Address, *, secure: bool) -> None:
    if any(address in network for network in settings.WEBHOOK_NETWORKS):
        return
    if not secure:
        raise Refused(OPEN_LETTER)
    carried = any(address in network for network in _CARRIERS)
    if not address.is_global or address.is_multicast or address.is_reserved or carried:
        raise Refused(
            "This address lies inside a network and not on the internet: Baton calls only what anybody could."
        )
