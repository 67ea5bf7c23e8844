"""From a new rule to its effect, as an admin goes it; and the pages on the way: accessible, inert, whole without a
script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from django.db import connection
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from orchestration.control import replaying
from orchestration.holds.models import Hold
from orchestration.policies import lifecycle, live
from orchestration.policies.models import Decision, Policy
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
from tests.api.door import JSON, Door
from tests.journeys.axe import LOOKS, dress, scrolls, troubles
from tests.journeys.findings import findings, raw
from tests.journeys.hostile import PAYLOADS
from tests.journeys.opened import Place, Watched, furnished, look
from tests.waiting import came_true

pytestmark = [pytest.mark.browser, pytest.mark.django_db, pytest.mark.timeout(300)]
AMOUNTS = (20, 120, 480, 620, 900, 1500)


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, lambda _: None) as place:
        yield place


@pytest.fixture(scope="module")
def agent(place: Place) -> Door:
    return Door(place.port, create_key(Workspace.objects.get(slug="default"), "asks", ["decide"])[1])


def ask(door: Door, amount: float, **more: Any) -> dict[str, Any]:
    body = {"agent": "refund-bot", "action": {"type": "refund", "amount": amount}, "context": {"returned": True}} | more
    answer = door.send("/api/v1/decisions", orjson.dumps(body), JSON)
    assert answer.status == 200
    told: dict[str, Any] = answer.json()
    return told


def apart(work: Callable[[], object]) -> None:
    """On a connection of its own, as a worker does it: what a test writes itself is not committed."""

    def done() -> None:
        work()
        connection.close()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(done).result()


def log_in(page: Watched) -> None:
    """With the password, so that it is fresh."""
    page.page.context.clear_cookies()
    page.open("/accounts/login/")
    page.page.fill("#id_login", "admin")
    page.page.fill("#id_password", "admin-password-12")
    page.page.press("#id_password", "Enter")
    page.page.wait_for_url(f"{page.origin}/")


def ungoverned() -> None:
    """No policy, and nothing decided: other tests may have come before."""
    workspace = Workspace.objects.get(slug="default")
    for model in (Hold, Decision, Policy):
        model._default_manager.filter(workspace=workspace).delete()
    live.renew([workspace.pk])


@pytest.fixture(scope="module")
def walked(browser: Browser, place: Place, agent: Door) -> list[str]:
    """The walk, gone once for all tests: what the page complained about on the way."""
    apart(ungoverned)
    for amount in AMOUNTS:
        assert ask(agent, amount)["effect"] == "allow"
    watched = look(browser, place)
    page = watched.page
    log_in(watched)

    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/policies/")
    page.locator("form.starter", has_text="Refund limit").get_by_role("button").click()
    page.wait_for_url("**/policies/refund-limit/edit/")

    page.fill("input[name=row-value]", "limt")
    page.locator("#verdict", has_text="1 thing is wrong").wait_for()
    page.fill("input[name=row-value]", "limit")
    page.locator("#verdict", has_text="Valid, 2 fields known").wait_for()
    page.get_by_role("button", name="CEL").click()
    assert page.locator("textarea.cel").input_value() == "action.amount <= limit"
    page.get_by_role("button", name="Form").click()
    page.locator("input[name=row-field]").wait_for()

    page.keyboard.press("Control+Enter")
    page.locator("#backtest", has_text="Replaying").wait_for()
    apart(replaying.work)
    page.locator("#backtest .vsrow").wait_for()
    assert "Now reviewed 3" in " ".join(page.locator("#backtest nav").inner_text().split())
    page.locator("#backtest .js-plotly-plot").first.wait_for()
    assert page.locator("#backtest .js-plotly-plot").count() == 1

    page.get_by_role("button", name="Publish v1").first.click()
    page.fill("#reason", "Large refunds are looked at")
    page.locator("#publish").get_by_role("button", name="Publish v1").click()
    page.locator(".toast", has_text="Published v1").wait_for()

    told = ask(agent, 620)
    assert told["effect"] == "hold"
    assert told["reasons"][0]["policy"] == "refund-limit"
    assert ask(agent, 480)["effect"] == "allow"
    page.reload()
    assert re.findall(r"Ask a person", page.locator("#decided tbody tr").nth(1).inner_text())
    watched.close()
    return watched.wrong


def test_from_a_new_rule_to_replay_to_live_to_its_effect(walked: list[str]) -> None:
    assert walked == []


def pages() -> list[str]:
    one = "/policies/refund-limit/"
    tabs = [f"{one}?tab=changes", f"{one}?tab=history", f"{one}versions/1/", f"{one}edit/"]
    return ["/policies/", "/policies/?q=zzz", one, *tabs]


def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, place: Place, walked: list[str]) -> None:
    apart(several_versions)
    (width, theme), *_ = LOOKS
    page = look(browser, place, width, theme)
    findings: list[tuple[object, ...]] = []
    for path in pages():
        page.open(path)
        page.page.wait_for_timeout(200)
        for size, dark in ((320, theme), *LOOKS):
            dress(page.page, size, dark)
            wider = settled(page)
            findings += [(path, "scrolls sideways", size, wider)] if wider > 0 else []
            findings += [(path, size, *each) for each in troubles(page.page)] if (size, dark) in LOOKS else []

    assert findings == []
    assert page.wrong == []
    page.close()


def settled(page: Watched) -> int:
    """By how much the page is wider than the window, once it is no more or for long enough: a chart is drawn anew some
    time after the window has changed."""
    came_true(lambda: scrolls(page.page) <= 0, 3)
    return scrolls(page.page)


def test_a_rule_is_written_saved_and_published_without_a_script(browser: Browser, place: Place) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    watched = Watched(page, place.origin)
    log_in(watched)
    watched.open("/policies/")
    page.get_by_role("button", name="New policy").click()
    page.fill("#new-name", "Without a script")
    page.get_by_role("button", name="Open its editor").click()

    page.get_by_role("button", name="Add a condition").click()
    page.locator("input[name=row-field]").nth(1).fill("context.returned")
    page.locator("select[name=row-op]").nth(1).select_option("yes")
    page.get_by_role("button", name="Save draft").click()

    assert "context.returned == true" in page.locator("#check").inner_text()
    assert "Draft saved" in page.inner_text("#saved")
    page.get_by_role("button", name="Discard").click()
    page.wait_for_url("**/policies/")


def test_hostile_asks_stay_text_on_every_page(browser: Browser, place: Place, agent: Door, walked: list[str]) -> None:
    for payload in PAYLOADS:
        said = payload.replace("\0", "")[:200]
        action = {"type": "refund", "amount": 900, "arguments": {"note": payload}}
        ask(agent, 900, agent=said or "x", action=action, run=said, proposal=payload, context={"note": payload})
    page = look(browser, place)
    newest = Decision.objects.order_by("-at").first()
    assert newest

    for path in pages():
        html = page.open(path)
        page.page.wait_for_timeout(150)
        assert (path, [*findings(page.page), *raw(html)], page.wrong) == (path, [], [])

    page.page.locator(f"button[value^='example-{newest.id}'], button[value^='example-']").first.click()
    page.page.wait_for_load_state()
    assert (findings(page.page), page.wrong) == ([], [])


def several_versions() -> None:
    """A history with something to compare, a draft, and a result that is no longer of it."""
    policy, by = Policy.objects.get(slug="refund-limit"), User.objects.get(username="admin")
    body = policy.versions.get(number=1).body
    for limit in (700, 900):
        lifecycle.save_draft(policy.pk, by, body | {"limits": {"limit": limit}})
        lifecycle.start_shadow(policy.pk, by)
    lifecycle.save_draft(policy.pk, by, body | {"limits": {"limit": 1100}})
