"""A browser for the journeys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.journeys.opened import IDLE, OPEN, Place, browsing
from tests.waiting import LONG_S

expect.set_options(timeout=LONG_S * 1000)


@pytest.fixture(scope="package")
def window(chromium: str) -> Iterator[Browser]:
    """One for all journeys: it takes longer to start than most tests do."""
    with sync_playwright() as playwright, browsing(playwright, chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def browser(place: Place, window: Browser) -> Iterator[Browser]:
    """For pages of one place, none of which stays there when that is gone."""
    yield window
    for watched in list(OPEN):
        watched.close()
    idle = [page.context for page in IDLE]
    for context in window.contexts:
        if context not in idle:
            context.close()
