"""What would run, lead away or look like Baton's own word is found on a page, open or read; and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.findings import findings, read
from tests.journeys.hostile import MARKER, PAYLOADS

pytestmark = pytest.mark.browser
SHELL = "<!doctype html><title>A page</title><script src=/own.js></script><h1>Runs</h1><a href=/runs/>All</a>%s"


@pytest.fixture(scope="module")
def page(window: Browser) -> Iterator[Page]:
    context = window.new_context()
    yield context.new_page()
    context.close()


def test_a_page_as_it_should_be_has_none_and_its_payloads_are_told(page: Page) -> None:
    quoted = PAYLOADS[0].replace("<", "&lt;")
    held = f"<script type=application/json>{PAYLOADS[-2]}</script>"

    found, said = read(page, SHELL % f"<p data-untrusted>{quoted}</p>")

    assert found == []
    assert {PAYLOADS[0]} == said & {*PAYLOADS[:2]}
    assert read(page, SHELL % held)[1] == set(), "what a script holds is not shown"


@pytest.mark.parametrize(
    "fault",
    [
        f"<p>{MARKER}</p>",
        f"<script>window.{MARKER}=1</script>",
        "<script src=//evil.example/a.js></script>",
        "<p onmouseover=a()>Over</p>",
        "<svg onload=a()></svg>",
        "<img src=x>",
        "<a href=https://evil.example>approve</a>",
        "<a href=javascript:a()>approve</a>",
        "<form action=https://evil.example></form>",
        "<iframe src=/></iframe>",
        "<link rel=stylesheet href=https://evil.example/a.css>",
        "<base href=https://evil.example>",
        "<meta http-equiv=refresh content=0>",
        f"<div hx-get=/{MARKER}></div>",
        "<p style='color: red'>Red</p>",
        "<p>turned \u202eevorppa</p>",
        PAYLOADS[1],
    ],
)
def test_what_should_not_be_is_found_without_opening_it(page: Page, fault: str) -> None:
    assert read(page, SHELL % fault)[0] != []


def test_the_same_is_found_of_what_is_open(page: Page) -> None:
    page.set_content(SHELL.replace("<script src=/own.js></script>", "") % "<p data-untrusted>Well</p>")
    assert findings(page) == []

    page.set_content(SHELL % f"<p>{MARKER}</p>")
    assert findings(page) == [f"text {MARKER}"]
    page.set_content(f"<title>{MARKER}</title>")
    assert findings(page) == ["title"]
