"""From a workflow that is written down to a run that is rolled back, as an admin goes it; and the pages on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page
from pytest_django import DjangoDbBlocker

from orchestration.workflows.declared_models import DeclaredRun
from orchestration.workspaces.models import Workspace
from tests.control import flows
from tests.journeys.axe import LOOKS, faults
from tests.journeys.opened import Place, Watched, furnished, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, lambda _: None) as place:
        yield place


def apart(work: Callable[[Workspace], Any]) -> Any:
    """On a connection of its own, as a worker does it: what a test writes itself is not committed."""

    def done() -> Any:
        try:
            return work(Workspace.objects.get(slug="default"))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(done).result()


def log_in(watched: Watched) -> Page:
    """With the password, so that it is fresh."""
    page = watched.page
    page.context.clear_cookies()
    watched.open("/accounts/login/")
    page.fill("#id_login", "admin")
    page.fill("#id_password", "admin-password-12")
    page.press("#id_password", "Enter")
    page.wait_for_url(f"{watched.origin}/")
    return page


def write_down(page: Page) -> None:
    """Two steps, the second after the first and only if it said so; a person can take the first one back."""
    page.fill("#f-name", "Chargeback")
    page.fill("#f-s0-name", "Book it")
    page.fill("#f-s0-owner", "booker")
    page.get_by_text("Rollback: nothing takes it back").click()
    page.select_option("#f-s0-undo_kind", "skill")
    page.fill("#f-s0-undo_owner", "undo")
    page.get_by_role("button", name="Add a step", exact=True).click()
    page.fill("#f-s1-name", "Pay it")
    page.fill("#f-s1-owner", "payer")
    page.fill("#f-s1-guard", "context.steps.bok_it.ok == true")
    page.locator("#picture .wfaults", has_text="No step bok_it has ended").wait_for()
    page.fill("#f-s1-guard", "context.steps.book_it.ok == true")
    page.locator("#picture [role=status]", has_text="Nothing is wrong").wait_for()


def fail_it(space: Workspace) -> DeclaredRun:
    run = flows.begin(space, "Chargeback")
    flows.finish(space, flows.one(space, "booker"), ok=True)
    flows.lose(space, flows.one(space, "payer"), "refused", "The bank said no")
    return run


def test_from_steps_written_down_to_a_run_rolled_back(browser: Browser, place: Place) -> None:
    watched = look(browser, place, 1440, "light")
    page = log_in(watched)

    watched.open("/workflows/")
    page.get_by_role("link", name="New workflow").click()
    write_down(page)
    page.get_by_role("button", name="Review v1").click()
    page.wait_for_url("**/workflows/chargeback/versions/1/")
    assert page.locator(".wbox").count() == 2
    page.fill("#reason", "Written down at last")
    page.get_by_role("button", name="Publish v1").click()
    page.locator(".toast", has_text="Published v1").wait_for()

    run = apart(fail_it)
    watched.open("/workflows/chargeback/")
    page.locator("#declared td a.btn").click()
    page.locator("h1", has_text="failed at Pay it").wait_for()
    page.get_by_role("button", name="Roll back").first.click()
    page.fill("#undo-why", "The bank said no")
    page.locator("#undo").get_by_role("button", name="Roll back").click()
    page.locator("h1", has_text="is being rolled back").wait_for()
    apart(lambda space: flows.finish(space, flows.one(space, "undoer", "undo")))
    page.reload()
    page.locator("#effects .pill", has_text="Undone").wait_for()

    paths = ["edit/", "versions/", "versions/1/", "learn/", "conformance/"]
    found = []
    page.set_viewport_size({"width": LOOKS[0][0], "height": 900})
    for path in [f"/workflows/chargeback/{each}" for each in paths] + ["/workflows/new/", f"/runs/{run.id}/plan/"]:
        watched.open(path)
        found += [(path, *fault) for fault in faults(page, (320, 1920))]
    assert found == []
    assert watched.wrong == []
