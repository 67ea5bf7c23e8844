"""Nothing that an agent says may run, lead away or look like Baton's own word in a reviewer's browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from tests.api.door import Door
from tests.journeys import hostile
from tests.journeys.findings import findings, raw, read, said
from tests.journeys.hostile import MARKER, PAYLOADS
from tests.journeys.opened import LISTS, SETTINGS, Place, Watched, furnished, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
# Lists whose scripts are those of every page, and of which a browser opens one.
FORMS = [f"/settings/{name}/" for name in SETTINGS[1:]]


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, attack) as place:
        yield place


def attack(door: Door) -> None:
    for payload in PAYLOADS:
        assert door.traces(hostile.request(payload)).status == 200


@pytest.fixture(scope="module")
def page(browser: Browser, place: Place) -> Watched:
    return look(browser, place)


def examine(page: Watched, path: str) -> set[str]:
    """Opens an address; fails on anything that ran, led away or stood outside of its mark. Which payloads it shows."""
    page.wrong.clear()
    html = page.open(path)

    assert (path, [*findings(page.page), *raw(html)], page.wrong) == (path, [], [])
    return said(page.page.inner_text("body"))


def pick(page: Watched, client: Client, path: str) -> set[str]:
    """The same of a page that is not opened, whose scripts have been at work in one of its kind."""
    answer = client.get(path)
    assert answer.status_code == 200
    found, shown = read(page.page, answer.content.decode())
    assert (path, found) == (path, [])
    return shown


@pytest.fixture
def reader(client: Client, place: Place) -> Client:
    """Asks for pages as the one who is logged in does."""
    client.cookies[settings.SESSION_COOKIE_NAME] = place.session
    return client


def test_all_that_was_sent_became_runs(place: Place) -> None:
    assert len(place.runs) == len(PAYLOADS)


@pytest.mark.parametrize("kind", ["lists", "agents", "workflows"])
def test_pages_made_of_hostile_telemetry_do_nothing(page: Watched, place: Place, reader: Client, kind: str) -> None:
    """Each kind of page is opened, with some of the payloads; the others of a kind are read."""
    tabs = ("coordination/", "conformance/", "learn/")
    paths = {
        "lists": ([path for path in LISTS if path not in FORMS], FORMS),
        "agents": (place.agents[::4], place.agents[2::4]),
        "workflows": (
            [*place.workflows[2::3], *(place.workflows[0] + tab for tab in tabs)],
            [*place.workflows[3::3], *place.workflows[4::3], *(place.workflows[1] + tab for tab in tabs)],
        ),
    }
    opened, others = paths[kind]

    for path in opened:
        examine(page, path)
    for path in others:
        pick(page, reader, path)


def test_hostile_runs_and_their_steps_do_nothing_and_are_shown_as_text(
    page: Watched, place: Place, reader: Client
) -> None:
    """Of each run one page is opened, in turn the run itself and one of its steps, and another one is read."""
    shown = set()
    for place_no, path in enumerate(place.runs):
        html = reader.get(path).content.decode()
        steps = list(dict.fromkeys(re.findall(r'<tr id="s-([0-9a-f]+)"', html)))
        assert len(steps) == 5
        step = (f"{path}?span={steps[1]}", f"{path}?span={steps[3]}&tab=steps")[place_no // 2 % 2]
        opened, other = (path, step) if place_no % 2 else (step, path)
        shown |= examine(page, opened)
        pick(page, reader, other)

    assert len(shown) >= 0.8 * len(PAYLOADS)


def test_a_list_shows_what_was_sent_as_text_and_turned_writing_as_a_symbol(page: Watched, place: Place) -> None:
    assert len(examine(page, "/runs/")) >= 0.6 * len(PAYLOADS)
    assert f"{MARKER}⟨U+202E⟩evorppa" in page.page.inner_text("body")


ADDRESSES = ("/runs/?q={0}&agent={0}", "/agents/?q={0}", "/?range={0}", "/{0}")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_an_address_says_is_not_believed(page: Watched, reader: Client, payload: str) -> None:
    """A browser opens one of the addresses with each payload; what the others answer is read."""
    asked = quote(payload.replace("\0", ""))
    at = PAYLOADS.index(payload) % len(ADDRESSES)
    page.wrong.clear()
    page.open(ADDRESSES[at].format(asked))

    assert page.page.evaluate(f"() => window.{MARKER}") is None
    assert page.wrong == []
    for address in ADDRESSES[:at] + ADDRESSES[at + 1 :]:
        answer = reader.get(address.format(asked))
        html = answer.content.decode()
        assert answer.status_code in (200, 400, 404)
        assert not set("<\"'") & set(payload) or payload not in html


def test_a_run_that_goes_on_stays_inert_when_its_regions_are_renewed(page: Watched, place: Place) -> None:
    page.open("/")
    page.wrong.clear()
    with page.page.expect_response(lambda answer: answer.request.headers.get("hx-target") == "answers"):
        page.page.evaluate("() => document.body.dispatchEvent(new CustomEvent('live:run'))")
    page.page.wait_for_timeout(200)

    assert findings(page.page) == []
    assert page.wrong == []
