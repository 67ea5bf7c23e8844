"""The ledger's pages: accessible, and inert whatever an agent called itself and its acts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from orchestration.ledger import chain, entries
from orchestration.ledger.models import Entry
from orchestration.workspaces.models import Workspace
from tests.journeys.axe import LOOKS, faults
from tests.journeys.findings import findings, raw, read, said
from tests.journeys.hostile import PAYLOADS
from tests.journeys.opened import Place, furnished, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, lambda _: None) as place:
        space = Workspace.objects.get(slug="default").pk
        for payload in PAYLOADS:
            said = payload.replace("\0", "")
            told = {"effect": "hold", "action": said, "matches": {"hold": ["refund-limit@7"]}, "seen": {said: said}}
            entries.record(space, "decision", ("decision", said), f"agent:{said}", told, datetime.now(UTC))
            told = {"policy": "refund-limit", "version": "7", "verdict": "reject", "reason": said}
            entries.record(space, "verdict", ("hold", said), f"person:{said}", told, datetime.now(UTC))
        chain.link()
        yield place


def pages() -> list[str]:
    """Lists, and then every entry: the newest is a verdict, the one before a decision, and so on."""
    ids = Entry.objects.order_by("-id").values_list("id", flat=True)
    return ["/ledger/", "/ledger/?q=zzz", *(f"/ledger/{each}/?verify=1" for each in ids)]


def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, place: Place) -> None:
    page, found = look(browser, place, *LOOKS[0]), []
    for path in pages()[:4]:
        page.open(path)
        found += [(path, *fault) for fault in faults(page.page)]

    assert found == []
    assert page.wrong == []
    page.close()


def test_what_hostile_agents_did_stays_text(browser: Browser, place: Place, client: Client) -> None:
    """A browser opens the lists, a few verdicts and a few decisions; what the others say is read."""
    client.cookies[settings.SESSION_COOKIE_NAME] = place.session
    page, shown = look(browser, place), set()
    for at, path in enumerate(pages(), start=-2):
        if at < 0 or at % 8 in (0, 3):
            html = page.open(path)
            assert (path, [*findings(page.page), *raw(html)], page.wrong) == (path, [], [])
            shown |= said(page.page.inner_text("body"))
        else:
            answer = client.get(path)
            assert answer.status_code == 200
            found, more = read(page.page, answer.content.decode())
            assert (path, found) == (path, [])
            shown |= more

    assert len(shown) >= 0.6 * len(PAYLOADS)
    page.close()
