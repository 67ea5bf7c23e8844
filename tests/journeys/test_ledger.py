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
from tests.journeys.hostile import PAYLOADS
from tests.journeys.opened import Place, furnished, look
from tests.journeys.test_pages_are_inert import FINDINGS

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


def read(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_hostile_agents_did_stays_text(browser: Browser, place: Place, client: Client) -> None:
    """A browser opens the lists, and of every two entries that say the same payload one; the other's page is read."""
    client.cookies[settings.SESSION_COOKIE_NAME] = place.session
    page, shown = look(browser, place), set()
    for at, path in enumerate(pages(), start=-2):
        opened = at < 0 or at % 4 in (0, 3)  # a verdict and a decision in turn
        html = page.open(path) if opened else read(client, path)
        assert not set("\u202e\u202c\u200b\u2066\u2069\x00\x1b") & set(html)
        assert not [payload for payload in PAYLOADS if set("<\"'") & set(payload) and payload in html]
        if opened:
            assert (path, page.page.evaluate(FINDINGS), page.wrong) == (path, [], [])
            text = page.page.inner_text("body")
            shown |= {payload for payload in PAYLOADS if payload.split("\u202e")[0].split("\x00")[0] in text}

    assert len(shown) >= 0.6 * len(PAYLOADS)
