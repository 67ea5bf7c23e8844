"""One's own profile: how it looks, the time zone, the password and the second step."""

from __future__ import annotations

import pytest
from django.test import Client

from orchestration.workspaces.models import User


def test_everyone_lands_on_settings_they_may_see(as_reviewer: Client) -> None:
    assert as_reviewer.get("/settings/")["Location"] == "/settings/profile/"


def test_times_are_shown_in_the_zone_a_person_chose(as_operator: Client, operator: User) -> None:
    form = {"section": "time", "zone": "Asia/Tokyo", "username": "root", "is_staff": "1", "theme": "dark"}

    answer = as_operator.post("/settings/profile/", form)

    operator.refresh_from_db()
    assert answer.status_code == 302
    assert (operator.zone, operator.username, operator.is_staff) == ("Asia/Tokyo", "operator", False)
    assert operator.theme == ""
    assert b"Asia/Tokyo" in as_operator.get("/settings/profile/").content


def test_each_section_is_saved_alone(as_operator: Client, operator: User) -> None:
    User.objects.update(zone="Asia/Tokyo")
    form = {"section": "look", "theme": "dark", "density": "tight", "zone": "UTC"}

    answer = as_operator.post("/settings/profile/", form, follow=True)

    operator.refresh_from_db()
    assert (operator.theme, operator.density, operator.single_keys) == ("dark", "tight", False)
    assert operator.zone == "Asia/Tokyo"
    page = answer.content.decode()
    assert 'data-theme="dark" data-density="tight"' in page
    assert 'data-keys="off"' in page
    assert "Saved how it looks." in page


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"section": "time", "zone": "Mars/Olympus"}, "valid choice"),
        ({"section": "look", "theme": "purple"}, "valid choice"),
        ({"section": "look", "density": "x" * 300}, "valid choice"),
        ({"section": "is_staff", "is_staff": "1"}, "Nothing was saved"),
        ({}, "Nothing was saved"),
    ],
)
def test_what_is_no_choice_is_refused_beside_its_field(
    as_operator: Client, operator: User, form: dict[str, str], said: str
) -> None:
    answer = as_operator.post("/settings/profile/", form)

    operator.refresh_from_db()
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert (operator.zone, operator.theme, operator.density) == ("", "", "")


def test_a_new_browser_shows_the_theme_chosen_in_another(client: Client, operator: User) -> None:
    User.objects.update(theme="dark")

    answer = client.post("/accounts/login/", {"login": "operator", "password": "operator-password-12"}, follow=True)

    assert 'data-theme="dark"' in answer.content.decode()


def test_switching_the_theme_in_the_frame_is_remembered_with_the_person(as_operator: Client, operator: User) -> None:
    as_operator.post("/settings/theme/")

    operator.refresh_from_db()
    assert operator.theme == "dark"
