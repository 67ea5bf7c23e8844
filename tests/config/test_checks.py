"""What the environment must not be."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from pytest_django import Settings

from orchestration.config import checks


def ids(settings: Settings, host: str, public: str, secure: bool = False) -> list[str | None]:
    settings.BATON_HOST = host
    settings.PUBLIC_URL = urlsplit(public) if public else None
    settings.SECURE = secure
    settings.SECRET_KEY = "0123456789" * 6
    return [message.id for message in checks.environment(None)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_a_local_address_needs_no_public_one(settings: Settings, host: str) -> None:
    assert ids(settings, host, "") == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "baton.example.org"])
def test_an_open_address_needs_a_public_one(settings: Settings, host: str) -> None:
    assert ids(settings, host, "") == ["baton.E001"]
    assert ids(settings, host, "https://baton.example.org", secure=True) == []


def test_plain_http_to_the_world_is_refused_and_inside_a_network_warned_of(settings: Settings) -> None:
    assert ids(settings, "127.0.0.1", "http://baton.example.org") == ["baton.E003"]
    assert ids(settings, "127.0.0.1", "http://192.168.1.5:8000") == ["baton.W001"]
    assert ids(settings, "127.0.0.1", "http://baton.lan") == ["baton.W001"]


def test_a_short_secret_is_refused(settings: Settings) -> None:
    settings.BATON_HOST, settings.PUBLIC_URL, settings.SECRET_KEY = "127.0.0.1", None, "secret"

    assert [message.id for message in checks.environment(None)] == ["baton.E002"]
