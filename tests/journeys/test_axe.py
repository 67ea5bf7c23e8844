"""What looks the same on many pages is looked at once, and nothing else is missed for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys import axe

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><head><title>A page</title><style>
    body { background: white; color: black } .faint { color: #bbb }
    .ground { background: #bbb } .over { position: relative }
    </style></head><body><main><h1>A heading</h1>%s</main></body></html>"""


@pytest.fixture(scope="module")
def page(window: Browser) -> Iterator[Page]:
    context = window.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(autouse=True)
def nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axe, "_read", set())


def told(page: Page, inside: str) -> list[str]:
    page.set_content(PAGE % inside)
    return sorted(rule for rule, _, _ in axe.troubles(page))


def test_faint_text_is_told_once(page: Page) -> None:
    assert told(page, "<p>As it should be</p>") == []
    assert told(page, "<p class=faint>One</p>") == ["color-contrast"]
    assert told(page, "<p class=faint>Another</p>") == []


@pytest.mark.parametrize(
    "other",
    [
        "<p style='color: #ccc'>Fainter</p>",
        "<p style='font-size: 2rem' class=faint>Larger</p>",
        "<div class=ground><p style='color: #999'>On another ground</p></div>",
        "<div style='opacity: .3'><p>Behind a veil</p></div>",
        "<p class='faint over'>Placed over others</p>",
        "<label>Field <input class=faint value='In a field'></label>",
    ],
)
def test_what_looks_otherwise_is_told_too(page: Page, other: str) -> None:
    told(page, "<p class=faint>One</p><div class=ground><p>Two</p></div>")

    assert told(page, other) == ["color-contrast"]


def test_other_rules_look_at_all_of_each_page(page: Page) -> None:
    for _ in range(2):
        assert told(page, "<p>As it should be</p><button></button>") == ["button-name"]


def test_text_that_was_hidden_is_looked_at_as_it_is_shown(page: Page) -> None:
    assert told(page, "<p class=faint hidden>Later</p>") == []

    page.evaluate("() => document.querySelector('[hidden]').removeAttribute('hidden')")

    assert [rule for rule, _, _ in axe.troubles(page)] == ["color-contrast"]


def test_a_page_is_left_as_it_was(page: Page) -> None:
    told(page, "<p>As it should be</p>")

    assert page.locator("[data-fresh]").count() == 0
