"""Somebody is invited, joins and works, in real browsers and without a script: what a browser sends of itself (its
origin, its cookies) is part of whether a form is taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from pytest_django import DjangoDbBlocker

from tests.api.door import Door
from tests.journeys.opened import Place, furnished

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, nothing) as place:
        yield place


def nothing(door: Door) -> None:
    """Nobody has sent anything yet."""


def plain(browser: Browser) -> Page:
    return browser.new_context(java_script_enabled=False).new_page()


def test_an_invited_person_joins_and_is_removed_without_a_script(browser: Browser, place: Place) -> None:
    admin, rita = plain(browser), plain(browser)
    admin.goto(f"{place.origin}/accounts/login/?next=/settings/members/")
    admin.fill("#id_login", "admin")
    admin.fill("#id_password", "admin-password-12")
    admin.click("button.primary")
    admin.fill("#id_note", "Rita")
    admin.click("text=Make the link")

    rita.goto(admin.inner_text("#link").strip())
    rita.fill("#id_username", "rita")
    rita.fill("#id_password1", "correct horse battery")
    rita.fill("#id_password2", "correct horse battery")
    rita.click("text=Make the account and join")
    inside = rita.title()
    admin.goto(f"{place.origin}/settings/members/")
    admin.click("main table a:has-text('rita')")
    admin.click("main .head button.danger")
    admin.click("#remove button.danger")
    rita.goto(f"{place.origin}/runs/")

    assert inside == "Overview · Baton"
    assert "Removed rita" in admin.inner_text("body")
    assert "not a member of any workspace" in rita.inner_text("body")
