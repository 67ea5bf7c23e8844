"""The ledger's pages: accessible, and inert whatever an agent called itself and its acts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
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
    ids = Entry.objects.order_by("-id").values_list("id", flat=True)
    return ["/ledger/", "/ledger/?q=zzz", *(f"/ledger/{each}/?verify=1" for each in ids)]


def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, place: Place) -> None:
    page, found = look(browser, place, *LOOKS[0]), []
    for path in pages()[:5]:
        page.open(path)
        found += [(path, *fault) for fault in faults(page.page)]

    assert found == []
    assert page.wrong == []


def test_what_hostile_agents_did_stays_text(browser: Browser, place: Place) -> None:
    page, shown = look(browser, place), set()
    for path in pages():
        html = page.open(path)
        assert (path, page.page.evaluate(FINDINGS), page.wrong) == (path, [], [])
        assert not set("\u202e\u202c\u200b\u2066\u2069\x00\x1b") & set(html)
        assert not [payload for payload in PAYLOADS if "<" in payload and payload in html]
        text = page.page.inner_text("body")
        shown |= {payload for payload in PAYLOADS if payload.split("\u202e")[0].split("\x00")[0] in text}

    assert len(shown) >= 0.6 * len(PAYLOADS)
