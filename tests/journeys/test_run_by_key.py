"""A run and its workflow used by key and by pointer: problems, folding, tabs, lanes, charts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from pytest_django import DjangoDbBlocker

from tests.api.door import Door
from tests.journeys import hostile
from tests.journeys.opened import Place, furnished, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
FOCUSED = "() => document.activeElement.closest('tr')?.id"
SHOWN = "() => [...document.querySelectorAll('#waterfall tbody tr')].filter(row => !row.hidden).length"


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, work) as place:
        yield place


def work(door: Door) -> None:
    assert door.traces(hostile.request("refund")).status == 200


@pytest.fixture
def page(browser: Browser, place: Place) -> Iterator[Page]:
    watched = look(browser, place)
    watched.open(place.runs[0])
    yield watched.page
    watched.close()


def test_a_key_goes_to_the_problem_and_one_folds_what_it_stands_below(page: Page) -> None:
    page.keyboard.press("p")
    problem, before = page.evaluate(FOCUSED), page.evaluate(SHOWN)

    page.keyboard.press("e")
    above, after = page.evaluate(FOCUSED), page.evaluate(SHOWN)
    page.keyboard.press("p")

    assert page.locator(f"#{problem}").get_attribute("data-problem") is not None
    assert above != problem
    assert after < before
    assert (page.evaluate(FOCUSED), page.evaluate(SHOWN)) == (problem, before)


def test_a_row_is_folded_by_its_button_too(page: Page) -> None:
    button, before = page.locator("#waterfall button.fold").first, page.evaluate(SHOWN)

    button.click()

    assert button.get_attribute("aria-expanded") == "false"
    assert page.evaluate(SHOWN) < before


def test_tabs_have_numbers(page: Page) -> None:
    with page.expect_navigation():
        page.keyboard.press("2")

    assert page.url.endswith("?tab=steps")


def test_a_bar_of_a_lane_opens_its_step(page: Page) -> None:
    bar = page.locator(".lanes [data-span]").last
    span = bar.get_attribute("data-span")

    with page.expect_navigation():
        bar.click(force=True)

    assert f"span={span}" in page.url
    assert page.locator("#span dl.facts").count() == 1


def test_a_chart_is_drawn_and_its_numbers_are_a_click_away(page: Page, place: Place) -> None:
    page.goto(place.origin + place.workflows[0])
    chart = page.locator("[data-chart=spread]")
    page.wait_for_selector("[data-chart=spread] .js-plotly-plot .main-svg")

    drawn = chart.locator(".plot").is_visible(), chart.locator(".chart-table").is_visible()
    page.get_by_role("button", name="Table").click()

    assert drawn == (True, False)
    assert (chart.locator(".plot").is_visible(), chart.locator(".chart-table").is_visible()) == (False, True)
