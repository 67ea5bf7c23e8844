"""A second step of logging in: turned on with a code, asked for at each log-in, and got round by a recovery code."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from orchestration.config.sessions import SecondStepAdapter
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import User

LOGIN = {"login": "admin", "password": "admin-password-12"}
ON, CODES = "/accounts/second-step/on/", "/accounts/second-step/codes/"


@pytest.fixture(autouse=True)
def no_tries_yet() -> None:
    cache.clear()


def code(secret: str) -> str:
    """What an authenticator would show now."""
    return str(format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time()))))


def prove(client: Client, path: str) -> None:
    """Gives the password again, as those pages ask for it."""
    client.post(f"/accounts/again/?next={path}", {"password": "admin-password-12", "next": path})


def turn_on(client: Client) -> tuple[str, list[str]]:
    """The secret, and the recovery codes as they are shown, once."""
    client.post("/accounts/login/", LOGIN)
    prove(client, ON)
    secret = re.findall(r'aria-label="Secret[^"]*"><code>(\w+)</code>', client.get(ON).content.decode())[0]
    answer = client.post(ON, {"code": code(secret)}, follow=True)
    shown = re.findall(r'aria-label="Recovery codes"><code>([^<]+)</code>', answer.content.decode())[0]
    cache.clear()  # a code counts once; the log-in that follows would use the same one
    return secret, shown.split()


def inside(client: Client) -> bool:
    return client.get("/").status_code == 200


def test_it_is_turned_on_by_a_code_of_the_device(client: Client, admin: User) -> None:
    _, codes = turn_on(client)

    page = client.get("/settings/profile/").content.decode()
    assert "10 codes left" in page
    assert len(set(codes)) == 10


def test_the_password_alone_opens_nothing_any_more(client: Client, admin: User) -> None:
    secret, _ = turn_on(client)
    other = Client()

    asked = other.post("/accounts/login/", LOGIN)
    before = inside(other)
    wrong = other.post("/accounts/code/", {"code": "000000"})
    other.post("/accounts/code/", {"code": code(secret)})

    assert asked["Location"].startswith("/accounts/code/")
    assert not before
    assert b"Incorrect code" in wrong.content
    assert inside(other)


def test_a_recovery_code_lets_in_once(client: Client, admin: User) -> None:
    _, codes = turn_on(client)
    tries = []
    for _ in range(2):
        other = Client()
        other.post("/accounts/login/", LOGIN)
        other.post("/accounts/code/", {"code": codes[0]})
        tries.append(inside(other))

    assert tries == [True, False]


def test_codes_are_shown_once(client: Client, admin: User) -> None:
    _, codes = turn_on(client)
    prove(client, CODES)

    page = client.get(CODES).content.decode()

    assert "cannot be shown again" in page
    assert not [each for each in codes if each in page]


def test_guessing_codes_is_throttled(client: Client, admin: User) -> None:
    secret, _ = turn_on(client)
    other = Client()
    other.post("/accounts/login/", LOGIN)
    for _ in range(10):
        other.post("/accounts/code/", {"code": "000000"})

    other.post("/accounts/code/", {"code": code(secret)})

    assert not inside(other)


def test_it_is_turned_off_only_with_the_password(client: Client, admin: User) -> None:
    turn_on(client)
    session = client.session
    session["account_authentication_methods"] = []
    session.save()
    asked = client.post("/accounts/second-step/off/")
    prove(client, "/accounts/second-step/off/")

    client.post("/accounts/second-step/off/")

    assert "/accounts/again/" in asked["Location"]
    kinds = list(
        Entry.objects.filter(actor=f"person:{admin.get_username()}").order_by("id").values_list("kind", flat=True)
    )
    assert kinds == ["person.second_step_on", "person.second_step_off"]
    assert not Authenticator.objects.filter(user=admin).exists()


def test_the_database_does_not_tell_the_secret(client: Client, admin: User) -> None:
    secret, _ = turn_on(client)

    stored = str(list(Authenticator.objects.values_list("data", flat=True)))

    assert secret not in stored


def test_with_another_key_of_baton_no_code_fits_and_nothing_breaks(
    client: Client, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, codes = turn_on(client)
    stored = Authenticator.objects.get(type=Authenticator.Type.TOTP).data["secret"]
    before = SecondStepAdapter().decrypt(stored)
    monkeypatch.setattr(settings, "SECRET_KEY", "another")
    other = Client()
    other.post("/accounts/login/", LOGIN)

    statuses = [
        other.post("/accounts/code/", {"code": each}).status_code for each in (code(secret), codes[0], code(""))
    ]

    assert before == secret
    assert statuses == [200, 200, 200]
    assert not inside(other)
    assert SecondStepAdapter().decrypt(stored) != SecondStepAdapter().decrypt(stored)


def test_a_changed_password_ends_the_other_sessions(client: Client, admin: User) -> None:
    other = Client()
    for each in (client, other):
        each.post("/accounts/login/", LOGIN)
    new = "a quite different sentence"

    answer = client.post(
        "/accounts/password/",
        {"oldpassword": "admin-password-12", "password1": new, "password2": new},
        follow=True,
    )

    assert b"Your password is changed." in answer.content
    assert (inside(client), inside(other)) == (True, False)
    admin.refresh_from_db()
    assert admin.check_password(new)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"oldpassword": "wrong", "password1": "x" * 14, "password2": "x" * 14}, "current password"),
        ({"oldpassword": "admin-password-12", "password1": "short", "password2": "short"}, "at least 12"),
        ({"oldpassword": "admin-password-12", "password1": "x" * 14, "password2": "y" * 14}, "same password"),
    ],
)
def test_a_password_that_cannot_be_is_refused(client: Client, admin: User, form: dict[str, str], said: str) -> None:
    client.post("/accounts/login/", LOGIN)

    answer = client.post("/accounts/password/", form)

    admin.refresh_from_db()
    assert said in answer.content.decode()
    assert admin.check_password("admin-password-12")


@pytest.mark.parametrize("path", [ON, CODES, "/accounts/second-step/off/", "/accounts/password/"])
def test_those_pages_are_for_people_who_are_logged_in(client: Client, db: None, path: str) -> None:
    assert client.get(path).status_code == 302
