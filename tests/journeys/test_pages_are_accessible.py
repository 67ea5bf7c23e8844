"""Every page, in both themes, wide and narrow: no finding of axe, no sideways scroll, within its weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from tests import captures
from tests.api.door import Door
from tests.journeys.axe import LOOKS, faults
from tests.journeys.opened import LISTS, Place, furnished, look
from tests.waiting import LONG_S

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, work) as place:
        yield place


def work(door: Door) -> None:
    for request in captures.requests("openai-agents", "once"):
        packed = {"content_encoding": "gzip"} if "content-encoding" in request.headers else {}
        answer = door.send(request.path, request.body, request.headers["content-type"], timeout=LONG_S, **packed)
        assert answer.status == 200


def pages(place: Place) -> list[str]:
    run = place.runs[0]
    return [*LISTS, run, f"{run}?tab=steps", place.agents[0], place.workflows[0], "/runs/?q=zzz", "/no/such/page/"]


@dataclass
class Seen:
    """What one walk over all pages found: opened as on a phone, in the dark, and then dressed otherwise."""

    faults: list[tuple[Any, ...]] = field(default_factory=list)
    bytes: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def seen(browser: Browser, place: Place) -> Seen:
    """Each page is opened once for all tests: that takes longer than to look at it."""
    page, found = look(browser, place, *LOOKS[0]), Seen()
    for path in pages(place):
        found.bytes[path] = len(page.open(path).encode())
        found.faults += [(path, *fault) for fault in faults(page.page)]
    found.wrong = page.wrong
    page.close()
    return found


def test_axe_finds_nothing_and_no_page_is_wider_than_its_window(seen: Seen) -> None:
    assert seen.faults == []


def test_no_page_complains(seen: Seen) -> None:
    assert seen.wrong == []


def test_no_page_weighs_more_than_its_bound(seen: Seen) -> None:
    assert {path: weight for path, weight in seen.bytes.items() if weight > 150_000} == {}


def test_pages_are_whole_without_a_script(browser: Browser, place: Place) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{place.origin}/accounts/login/")
    page.fill("#id_login", "admin")
    page.fill("#id_password", "admin-password-12")
    page.click("button.primary")

    page.goto(place.origin + place.runs[0])
    page.click("#waterfall tbody tr:nth-child(2) a")

    assert page.locator("#span dl.facts").count() == 1
    assert page.get_by_text("Refresh").count() + page.get_by_text("Ended").count() >= 1
    context.close()


def test_a_region_in_use_is_not_swapped_under_the_fingers(browser: Browser, place: Place) -> None:
    page = look(browser, place).page
    page.goto(f"{place.origin}/workflows/?q=a")
    page.focus("#flows input[name=q]")
    page.keyboard.type("bc")

    page.evaluate("() => document.body.dispatchEvent(new CustomEvent('live:tick'))")
    page.wait_for_timeout(500)

    assert sorted(page.input_value("#flows input[name=q]")) == ["a", "b", "c"]
    assert page.evaluate("() => document.activeElement.name") == "q"
