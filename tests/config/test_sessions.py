"""How long people stay, and how often they may try."""

from __future__ import annotations

import time

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from orchestration.workspaces.models import User


@pytest.fixture(autouse=True)
def no_tries_yet() -> None:
    cache.clear()


def attempt(client: Client, name: str, password: str, address: str = "192.0.2.1") -> int:
    form = {"login": name, "password": password}
    return client.post(reverse("account_login"), form, REMOTE_ADDR=address).status_code


def logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_right_password_logs_in(client: Client, operator: User) -> None:
    assert attempt(client, "operator", "operator-password-12") == 302
    assert logged_in(client)


def test_guessing_is_throttled_after_ten_tries(client: Client, operator: User) -> None:
    for number in range(10):
        attempt(client, "operator", f"guess-{number}")

    attempt(client, "operator", "operator-password-12")

    assert not logged_in(client)


def test_a_stranger_does_not_lock_out_the_true_person(client: Client, operator: User) -> None:
    for number in range(12):
        attempt(Client(), "operator", f"guess-{number}", address="198.51.100.9")

    attempt(client, "operator", "operator-password-12")

    assert logged_in(client)


def test_nobody_signs_up(client: Client, db: None) -> None:
    assert client.get("/account/signup/").status_code == 404


def test_a_session_ends_after_a_day_however_busy(as_operator: Client) -> None:
    session = as_operator.session
    session["begun"] = int(time.time()) - 24 * 3600 - 1
    session.save()

    as_operator.get("/")

    assert not logged_in(as_operator)


def test_a_session_in_use_is_renewed_but_not_by_each_request(client: Client, operator: User) -> None:
    attempt(client, "operator", "operator-password-12")

    first = client.get("/").cookies.get("baton_session")
    second = client.get("/").cookies.get("baton_session")

    assert first is not None
    assert first["max-age"] == 8 * 3600
    assert second is None


def test_cookies_are_closed_to_scripts_and_other_sites(client: Client, operator: User) -> None:
    client.get(reverse("account_login"))
    attempt(client, "operator", "operator-password-12")

    for name in ("baton_session", "baton_csrf"):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"
