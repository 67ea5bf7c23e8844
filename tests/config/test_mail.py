"""The mail server out of one address."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from orchestration.config import env

HOST = "smtps://mail.example.org"


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        (HOST, "baton@mail.example.org"),
        ("smtps://me%40example.org:secret@mail.example.org", "me@example.org"),
        (f"{HOST}?from=desk@example.org", "desk@example.org"),
    ],
)
def test_mail_comes_from_somebody(monkeypatch: pytest.MonkeyPatch, address: str, sender: str) -> None:
    monkeypatch.setenv("BATON_EMAIL_URL", address)

    assert env.mail("BATON_EMAIL_URL")["DEFAULT_FROM_EMAIL"] == sender


@pytest.mark.parametrize("address", ["https://mail.example.org", f"{HOST}?from=me", f"{HOST}?from=a@b%0aBcc:c@d"])
def test_an_address_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("BATON_EMAIL_URL", address)

    with pytest.raises(ImproperlyConfigured, match="BATON_EMAIL_URL"):
        env.mail("BATON_EMAIL_URL")
