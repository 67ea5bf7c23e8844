"""What a test has done to its page is not there for the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from tests.journeys.opened import IDLE, Place, Watched, furnished, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, lambda _: None) as place:
        yield place


def test_a_page_is_handed_on_as_it_was_made(browser: Browser, place: Place) -> None:
    first = look(browser, place, 390, "dark")
    first.open("/")
    first.page.evaluate("() => { localStorage.setItem('a', 'b'); sessionStorage.setItem('a', 'b'); }")
    first.close()
    second = look(browser, place)
    second.open("/")

    assert second.page is first.page
    assert second.page.evaluate("() => [localStorage.a, sessionStorage.a, innerWidth]") == [None, None, 1440]
    assert second.page.evaluate("() => document.documentElement.dataset.theme") == "light"
    second.close()


def test_neither_one_that_was_bent_nor_one_that_somebody_else_made_is(browser: Browser, place: Place) -> None:
    bent, plain = look(browser, place), browser.new_context(java_script_enabled=False).new_page()
    bent.bend()
    other = Watched(plain, place.origin)
    for watched in (bent, other):
        watched.close()

    assert bent.page.is_closed()
    assert plain.is_closed()
    assert not {bent.page, plain} & set(IDLE)
