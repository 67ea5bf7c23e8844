"""Where a webhook may not lead."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from orchestration.outbox import targets, webhooks
from orchestration.outbox.targets import Refused
from tests.outbox.receiver import Receiver
from tests.outbox.test_webhooks import LETTER

INSIDE = [
    "http://example.org/",
    "https://127.0.0.1/",
    "https://localhost/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://0.0.0.0/",
    "https://0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://10.0.0.1/",
    "https://172.16.3.4/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
]
NONSENSE = [
    "",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:11211/",
    "https://",
    "https://user:password@example.org/",
    "https://example.org:0/",
    "https://example.org:99999/",
    "https://[not an address/",
    "https://example.org/\r\nHost: other",
    "https://example.org\\@127.0.0.1/",
    "https://nobody.invalid/",
    "https://exämple.org/",
    "https://example.org/" + "x" * 3000,
]


@pytest.mark.parametrize("url", INSIDE + NONSENSE)
def test_a_url_that_leads_inside_or_nowhere_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        targets.resolve(url)


def test_a_listener_on_this_machine_gets_no_call(receiver: Receiver) -> None:
    port = receiver.port
    hosts = ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]"]

    outcomes = [
        webhooks.post(f"{scheme}://{host}:{port}/", [b"s"], LETTER) for host in hosts for scheme in ("http", "https")
    ]

    assert {outcome.status for outcome in outcomes} == {None}
    assert receiver.got == []


def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: both)

    with pytest.raises(Refused, match="inside a network"):
        targets.resolve("https://rebind.example.org/")


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 8443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    called: list[Any] = []

    def connect(address: Any, **kwargs: Any) -> Any:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)

    webhooks.post("https://hooks.example.org:8443/baton?x=1", [b"s"], LETTER)

    assert called == [("93.184.216.34", 8443)]


def test_networks_of_ones_own_are_allowed_by_name(settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]

    target = targets.resolve("http://127.0.0.1:8080/hook?a=b")

    assert (target.address, target.authority, target.path) == (ip_address("127.0.0.1"), "127.0.0.1:8080", "/hook?a=b")
    with pytest.raises(Refused):
        targets.resolve("http://127.0.0.2/")
