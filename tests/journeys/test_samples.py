"""The sample of what went through alone, looked at by keyboard; in both themes, every width, and without a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from escalations.models import Sample
from orchestration.workspaces.models import Workspace
from tests.escalations.test_samples import drawn
from tests.journeys.axe import LOOKS, faults
from tests.journeys.opened import Place, furnished, look
from tests.journeys.test_pages_in_use import committed
from tests.waiting import LONG_S

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
PATH = "/inbox/samples/"


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, lambda _: None) as place:
        yield place


@pytest.fixture(autouse=True)
def filled(place: Place) -> None:
    """Whichever test came before, five wait and thirty were looked at."""

    def fill() -> None:
        Sample.objects.all().delete()
        space = Workspace.objects.get(slug="default")
        drawn(space, 28, "right")
        drawn(space, 2, "wrong")
        drawn(space, 5)

    committed(fill)


def waiting() -> int:
    return int(committed(Sample.objects.filter(found="").count))


def tabbed(page: Page, name: str) -> None:
    """By Tab alone, to the first such button."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"{name} cannot be reached by keyboard")


def test_axe_finds_nothing_whether_much_or_nothing_waits(browser: Browser, place: Place) -> None:
    seen, found = look(browser, place, *LOOKS[0]), []
    for empty in (False, True):
        if empty:
            committed(lambda: Sample.objects.all().delete())
        seen.open(PATH)
        found += [(empty, *fault) for fault in faults(seen.page)]

    expect(seen.page.get_by_role("heading", name="Nothing waits to be looked at", level=1)).to_be_visible()
    assert found == []
    assert seen.wrong == []
    seen.close()


def test_each_is_said_right_or_wrong_by_keyboard(browser: Browser, place: Place) -> None:
    seen = look(browser, place)
    page = seen.page
    seen.open(PATH)
    expect(page.locator("h1")).to_contain_text("of what went through without a person was wrong")

    for left, name in ((4, "Right"), (3, "Wrong")):
        tabbed(page, name)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert waiting() == left

    expect(page.locator("body")).to_contain_text("Noted: wrong")
    assert committed(Sample.objects.filter(found="wrong").count) == 3
    assert seen.wrong == []
    seen.close()


def test_it_works_without_a_script(browser: Browser, place: Place) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=place.origin)
    context.set_default_timeout(LONG_S * 1000)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": place.session, "url": place.origin}])
    page, began = context.new_page(), timezone.now()
    page.goto(PATH)

    page.locator("#main input[name=note]").first.fill("Seen twice")
    page.get_by_role("button", name="Cannot be told").first.click()

    expect(page.locator("body")).to_contain_text("Noted: cannot be told")
    said = committed(lambda: Sample.objects.filter(seen_at__gte=began).get())
    assert isinstance(said, Sample)
    assert (said.found, said.note) == ("unsure", "Seen twice")
    context.close()
