"""An operator pauses an agent in the browser, sees it among what Baton did, and lets it go on; and the pages of acts in
both themes and every width."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pytest_django import DjangoDbBlocker

from orchestration.autonomy import ordering
from orchestration.autonomy.models import Action, Kind, Stop
from orchestration.workspaces.models import Workspace
from tests import make
from tests.autonomy.ordered import aimed, wish
from tests.journeys.axe import faults
from tests.journeys.opened import Place, furnished, look
from tests.journeys.test_pages_in_use import committed

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, lambda _: None) as place:
        space = Workspace.objects.get(slug="default")
        ordering.order(space.pk, wish(Kind.PAUSE), aimed(make.agent(space)), proposed=True)
        yield place


def test_an_agent_is_stopped_with_a_reason_and_let_go_by_one_press(browser: Browser, place: Place) -> None:
    seen = look(browser, place)
    page = seen.page
    seen.open("/agents/")
    page.locator("main table tbody a").first.click()

    page.get_by_role("button", name="Quarantine…").click()
    page.locator("#ask-quarantine-why").fill("It pays twice")
    page.get_by_role("button", name="Quarantine", exact=True).click()
    expect(page.locator("#stop-quarantine")).to_contain_text("It pays twice")
    assert committed(Stop.objects.count) == 1

    page.get_by_role("button", name="Release").click()
    expect(page.locator("#stop-quarantine")).to_have_count(0)
    seen.open("/actions/")
    expect(page.locator("#acts")).to_contain_text("Undone")
    assert seen.wrong == []
    seen.close()


def test_the_pages_of_acts_are_whole_and_accessible(browser: Browser, place: Place) -> None:
    seen = look(browser, place)
    action = committed(Action.objects.first)
    found = {}
    for path in ("/actions/", f"/actions/{action.pk}/" if isinstance(action, Action) else "/actions/"):
        seen.open(path)
        found[path] = faults(seen.page)

    assert {path: each for path, each in found.items() if each} == {}
