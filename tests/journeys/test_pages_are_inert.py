"""Nothing that an agent says may run, lead away or look like Baton's own word in a reviewer's browser."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from tests.api.door import Door
from tests.journeys import hostile
from tests.journeys.hostile import MARKER, PAYLOADS
from tests.journeys.opened import LISTS, Place, Watched, furnished, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

# Text that says the marker outside of what is marked as foreign; what ran; elements that no template of ours makes.
FINDINGS = f"""() => {{
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {{
    const node = texts.currentNode;
    const marked = node.parentElement.closest("[data-untrusted]");
    if (node.data.includes("{MARKER}") && !marked) found.push("text " + node.data);
  }}
  if (window.{MARKER} !== undefined) found.push("ran");
  if (document.title.includes("{MARKER}") && !document.querySelector("title[data-untrusted]")) found.push("title");
  const foreign = "script:not([src]), [onload], [onerror], [onmouseover], [style], [hx-on\\\\:click], iframe, math, "
    + "img, form[action^='http'], a[href^='javascript'], a[href^='http'], [src*='{MARKER}'], [hx-get='/{MARKER}']";
  const ours = ".js-plotly-plot *, #js-plotly-tester, #js-plotly-tester *, script[type='application/json']";
  for (const element of document.querySelectorAll(foreign)) {{
    const html = element.outerHTML;
    if (!element.matches(ours) || html.includes("{MARKER}")) found.push("element " + html.slice(0, 200));
  }}
  return found;
}}"""


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


def examine(page: Watched, path: str) -> str:
    """Opens an address; fails on anything that ran, led away or stood outside of its mark."""
    page.wrong.clear()
    html = page.open(path)
    found = page.page.evaluate(FINDINGS)

    assert (path, found, page.wrong) == (path, [], [])
    assert not set("\u202e\u202c\u200b\u2066\u2069\x00\x1b") & set(html), "a sign that hides or turns writing came raw"
    assert not [payload for payload in PAYLOADS if "<" in payload and payload in html]
    return html


def seen(page: Watched) -> list[str]:
    """The payloads that can be read on the page, as far as they have signs that can be."""
    text = page.page.inner_text("body")
    return [payload for payload in PAYLOADS if payload.split("\u202e")[0].split("\x00")[0] in text]


def test_all_that_was_sent_became_runs(place: Place) -> None:
    assert len(place.runs) == len(PAYLOADS)


@pytest.mark.parametrize("kind", ["lists", "agents", "workflows"])
def test_pages_made_of_hostile_telemetry_do_nothing(page: Watched, place: Place, kind: str) -> None:
    below = [path + tab for path in place.workflows[:2] for tab in ("coordination/", "conformance/", "learn/")]
    paths = {"lists": LISTS, "agents": place.agents[::2], "workflows": [*place.workflows[2:], *below]}[kind]

    for path in paths:
        examine(page, path)


def test_hostile_runs_and_their_steps_do_nothing_and_are_shown_as_text(page: Watched, place: Place) -> None:
    shown = set()
    for place_no, path in enumerate(place.runs):
        examine(page, path)
        shown |= set(seen(page))
        steps = page.page.eval_on_selector_all("#waterfall tr[id^=s-]", "rows => rows.map(row => row.id.slice(2))")
        assert len(steps) == 5
        more = (f"{path}?span={steps[1]}", f"{path}?span={steps[3]}&tab=steps")
        examine(page, more[place_no % 2])

    assert len(shown) >= 0.8 * len(PAYLOADS)


def test_a_list_shows_what_was_sent_as_text_and_turned_writing_as_a_symbol(page: Watched, place: Place) -> None:
    page.open("/runs/")

    assert len(seen(page)) >= 0.6 * len(PAYLOADS)
    assert f"{MARKER}⟨U+202E⟩evorppa" in page.page.inner_text("body")


ADDRESSES = ("/runs/?q={0}&agent={0}", "/agents/?q={0}", "/?range={0}", "/{0}")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_an_address_says_is_not_believed(page: Watched, place: Place, client: Client, payload: str) -> None:
    """A browser opens one of the addresses with each payload; what the others answer is read."""
    said = quote(payload.replace("\0", ""))
    client.cookies[settings.SESSION_COOKIE_NAME] = place.session
    at = PAYLOADS.index(payload) % len(ADDRESSES)
    page.wrong.clear()
    page.open(ADDRESSES[at].format(said))

    assert page.page.evaluate(f"() => window.{MARKER}") is None
    assert page.wrong == []
    for address in ADDRESSES[:at] + ADDRESSES[at + 1 :]:
        answer = client.get(address.format(said))
        html = answer.content.decode()
        assert answer.status_code in (200, 400, 404)
        assert not set("<\"'") & set(payload) or payload not in html


def test_a_run_that_goes_on_stays_inert_when_its_regions_are_renewed(page: Watched, place: Place) -> None:
    page.open("/")
    page.wrong.clear()
    with page.page.expect_response(lambda answer: answer.request.headers.get("hx-target") == "answers"):
        page.page.evaluate("() => document.body.dispatchEvent(new CustomEvent('live:run'))")
    page.page.wait_for_timeout(200)

    assert page.page.evaluate(FINDINGS) == []
    assert page.wrong == []
