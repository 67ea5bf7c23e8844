"""Every page, in both themes, wide and narrow: no finding of axe, no sideways scroll, within its weight."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from pytest_django import DjangoDbBlocker

from tests import captures
from tests.api.door import Door
from tests.journeys.opened import LISTS, Place, browsing, furnished, look
from tests.waiting import LONG_S

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
LOOKS = [(1440, "light"), (390, "dark")]  # the other two show the same parts and colours


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, work) as place:
        yield place


def work(door: Door) -> None:
    for request in captures.requests("openai-agents", "once"):
        packed = {"content_encoding": "gzip"} if "content-encoding" in request.headers else {}
        answer = door.send(request.path, request.body, request.headers["content-type"], timeout=LONG_S, **packed)
        assert answer.status == 200


@pytest.fixture(scope="module")
def browser(place: Place, chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright, browsing(playwright, chromium) as browser:
        yield browser


def pages(place: Place) -> list[str]:
    run = place.runs[0]
    return [*LISTS, run, f"{run}?tab=steps", place.agents[0], place.workflows[0], "/runs/?q=zzz", "/no/such/page/"]


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, place: Place, width: int, theme: str) -> None:
    page, findings = look(browser, place, width, theme), []
    for path in pages(place):
        page.open(path)
        found = Axe().run(page.page, options=RULES).response["violations"]
        findings += [
            (path, each["id"], node["target"], node["failureSummary"]) for each in found for node in each["nodes"]
        ]
        wider = page.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        findings += [(path, "scrolls sideways", wider, "")] if wider > 0 else []

    assert findings == []
    assert page.wrong == []


def test_no_page_is_wider_than_its_window(browser: Browser, place: Place) -> None:
    page, wide = look(browser, place), []
    for path in pages(place):
        page.open(path)
        for width in (320, 768, 1024, 1920):
            page.page.set_viewport_size({"width": width, "height": 900})
            if page.page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wide.append((path, width))

    assert wide == []


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


def test_no_page_weighs_more_than_its_bound(browser: Browser, place: Place) -> None:
    reader = browser.new_context(base_url=place.origin, storage_state=look(browser, place).page.context.storage_state())

    weights = {path: len(reader.request.get(path).body()) for path in pages(place)}

    assert {path: weight for path, weight in weights.items() if weight > 150_000} == {}


def test_a_region_in_use_is_not_swapped_under_the_fingers(browser: Browser, place: Place) -> None:
    page = look(browser, place).page
    page.goto(f"{place.origin}/workflows/?q=a")
    page.focus("#flows input[name=q]")
    page.keyboard.type("bc")

    page.evaluate("() => document.body.dispatchEvent(new CustomEvent('live:tick'))")
    page.wait_for_timeout(500)

    assert sorted(page.input_value("#flows input[name=q]")) == ["a", "b", "c"]
    assert page.evaluate("() => document.activeElement.name") == "q"
