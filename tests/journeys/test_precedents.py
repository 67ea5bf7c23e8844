"""A verdict kept, used and revoked by keyboard; and its pages in both themes, in every width, without a script."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from escalations import intake
from escalations.models import Batch, Escalation, Precedent
from orchestration.holds.models import Hold
from orchestration.workspaces.models import Workspace
from tests.escalations.conftest import plain
from tests.escalations.held import holds
from tests.journeys.axe import LOOKS, faults
from tests.journeys.opened import Place, furnished, look
from tests.journeys.test_pages_in_use import committed
from tests.waiting import LONG_S

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


def comes(n: int) -> None:
    def ask() -> None:
        space = Workspace.objects.get(slug="default")
        due = {"due_at": timezone.now() + timedelta(minutes=20), "evidence": [{"kind": "photo"}]}
        holds(space, [plain(place) for place in range(n)], **due)
        while intake.take_in():
            pass

    committed(ask)


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, lambda _: None) as place:
        for model in (Hold, Escalation, Batch):  # what other journeys ask about
            model.objects.all().delete()
        yield place


@pytest.fixture(scope="module")
def kept(browser: Browser, place: Place) -> Precedent:
    """What the first walk has made: eleven are approved and kept, three more have come, all by keyboard."""
    seen = look(browser, place)
    page = seen.page
    comes(11)
    seen.open("/inbox/")
    with page.expect_response("**/decide/**"):
        pressed(page, "a")
    page.get_by_role("link", name="Keep…").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Why such cases may be decided alike").focus()
    page.keyboard.type("The goods are back")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Decided like this 11 times: approved")).to_be_visible()
    assert seen.wrong == []
    seen.close()
    comes(3)
    found = committed(Precedent.objects.get)
    assert isinstance(found, Precedent)
    return found


@pytest.fixture(autouse=True)
def in_force(kept: Precedent) -> None:
    """Whichever test came before."""

    def restore() -> None:
        Precedent.objects.update(revoked_at=None, revoked_by=None, revoked_why="")
        Escalation.objects.filter(open=True).update(precedent=kept, before="approve")

    committed(restore)


def pressed(page: Page, key: str) -> None:
    """As soon as the batch has stood open for the 0.8 s before which a key is not meant for it."""
    page.wait_for_timeout(820)
    page.keyboard.press(key)


def covered() -> int:
    return int(committed(Escalation.objects.filter(open=True, before="approve").count))


def paths(kept: Precedent) -> list[str]:
    batch: Any = committed(lambda: Batch.objects.filter(closed_at=None).first())
    act = f"/inbox/precedents/keep/{kept.act_id}/"
    return ["/inbox/precedents/", f"/inbox/precedents/{kept.pk}/", act, f"/inbox/{batch.pk}/", "/inbox/?case=1"]


def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, place: Place, kept: Precedent) -> None:
    seen, found = look(browser, place, *LOOKS[0]), []
    for path in paths(kept):
        seen.open(path)
        found += [(path, *fault) for fault in faults(seen.page)]

    assert found == []
    assert seen.wrong == []
    seen.close()


def test_b_decides_as_before_and_z_takes_it_back(browser: Browser, place: Place, kept: Precedent) -> None:
    seen = look(browser, place)
    page, before = seen.page, covered()
    assert before == 3
    seen.open("/inbox/")
    expect(page.locator(".before")).to_contain_text("Decided like this 11 times: approved.")

    with page.expect_response("**/decide/**"):
        pressed(page, "b")
    expect(page.locator("#toast .toast")).to_contain_text("Approved 3")
    assert covered() == 0
    with page.expect_response("**/undo/**"):
        page.keyboard.press("z")

    assert covered() == before
    assert seen.wrong == []
    seen.close()


def test_it_is_used_and_revoked_without_a_script(browser: Browser, place: Place, kept: Precedent) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=place.origin)
    context.set_default_timeout(LONG_S * 1000)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": place.session, "url": place.origin}])
    page, before = context.new_page(), covered()
    page.goto("/inbox/")

    page.get_by_role("button", name="Approve 3 as before").click()
    expect(page.locator("#toast")).to_contain_text("Approved 3")
    page.get_by_role("button", name="Undo").click()
    assert covered() == before
    page.goto("/inbox/precedents/")
    page.get_by_role("button", name="Revoke the precedent").click()

    expect(page.locator("h1")).to_contain_text("Revoked: it had a part in 0 cases")
    assert covered() == 0
    context.close()
