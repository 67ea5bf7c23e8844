"""Pages under the fingers: keys, the jump list, regions that are in use, and what a page does when it hears nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

import pytest
from django.db import OperationalError, connection
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from orchestration.lib import pulse
from orchestration.workflows import stats
from orchestration.workflows.models import Run, Workflow
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.dashboard.conftest import play
from tests.journeys.axe import dress, troubles
from tests.journeys.opened import Place, Watched, furnished, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
ROW = "#rows tbody tr"
Made = TypeVar("Made")


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    def furniture(_: object) -> None:
        play(Workspace.objects.get(slug="default"))

    with furnished(served, django_db_blocker, furniture) as place:
        yield place


@pytest.fixture
def seen(browser: Browser, place: Place) -> Iterator[Watched]:
    watched = look(browser, place)
    yield watched
    watched.close()


@pytest.fixture
def page(seen: Watched) -> Iterator[Page]:
    yield seen.page
    assert seen.wrong == []


def committed(what: Callable[[], Made]) -> Made:
    """Done on a connection of its own, outside the transaction of the test, so that the server sees it."""

    def do() -> Made:
        try:
            return what()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(do).result()


@contextmanager
def one_more_run(title: str) -> Iterator[UUID]:
    """While a page is open; told as the digest tells it."""
    space = Workspace.objects.get(slug="default")
    flow = Workflow.objects.get(workspace=space, slug="refund")
    made = committed(lambda: make.run(space, flow, title=title))
    pulse.forget()
    pulse.publish(space.pk, "run")
    try:
        yield made.id
    finally:
        committed(Run.objects.filter(id=made.id).delete)


def open_live(seen: Watched, path: str) -> None:
    """Opens a page and waits until its stream is."""
    seen.open(path)
    expect(seen.page.locator("[data-age]")).to_contain_text("Live, ")


def clock(page: Page) -> float:
    """The page's own time, in seconds; it goes on by itself too."""
    return float(page.evaluate("() => Date.now()")) / 1000


# ---- keys


def test_the_jump_list_is_worked_by_keyboard_alone(seen: Watched, page: Page) -> None:
    seen.open("/runs/")
    page.keyboard.press("Control+k")
    expect(page.locator("#jump [role=option]").first).to_have_text("Overview")

    page.keyboard.type("desk")
    expect(page.locator("#jump [role=option]").first).to_contain_text("Agent, desk")
    page.keyboard.press("ArrowDown")
    active = page.locator("#jump input[name=q]").get_attribute("aria-activedescendant")

    assert page.locator("#jump [aria-selected=true]").get_attribute("id") == active == "jump-1"
    assert page.evaluate("() => document.activeElement.name") == "q", "the focus stays in the field"
    assert troubles(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents/desk-triage/")


def test_an_act_is_done_from_the_jump_list_by_keyboard_alone(seen: Watched, page: Page) -> None:
    seen.open("/agents/?range=1h")
    page.keyboard.press("Control+k")
    page.keyboard.type("last 7 d")
    expect(page.locator("#jump [aria-selected=true]")).to_contain_text("Show the last 7 days")
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents/?range=7d")

    page.keyboard.press("Control+k")
    page.keyboard.type("density")
    expect(page.locator("#jump [aria-selected=true]")).to_contain_text("Tight or comfortable rows")
    assert troubles(page) == []
    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert page.url.endswith("/agents/?range=7d")
    assert page.evaluate("() => document.documentElement.dataset.density") == "tight"

    page.keyboard.press("Control+k")
    page.keyboard.type("new policy")
    expect(page.locator("#jump [aria-selected=true]")).to_contain_text("New policy")
    page.keyboard.press("Enter")
    expect(page.locator("#new-policy")).to_be_visible()


def test_a_pasted_id_goes_straight_to_its_run(seen: Watched, page: Page) -> None:
    seen.open("/agents/")

    page.keyboard.press("/")
    page.locator("#jump input[name=q]").fill(bytes(range(16)).hex())

    page.wait_for_url("**/runs/*-*/")


def test_places_are_reached_by_g_and_a_letter(seen: Watched, page: Page) -> None:
    seen.open("/")

    for key, path in (("a", "/agents/"), ("w", "/workflows/"), ("r", "/runs/"), ("o", "/")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"{seen.origin}{path}")


def test_rows_are_walked_opened_and_filtered_by_key(seen: Watched, page: Page) -> None:
    seen.open("/agents/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.evaluate("() => document.activeElement.closest('tr').rowIndex")
    page.keyboard.press("f")
    field = page.evaluate("() => document.activeElement.name")
    page.keyboard.type("jj")

    assert (first, field) == (1, "q")
    assert page.input_value("#q") == "jj", "in a field a key is a letter"
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents/desk-*/**")


def test_the_help_of_the_keys_opens_and_closes(seen: Watched, page: Page) -> None:
    seen.open("/")

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert troubles(page) == []
    page.keyboard.press("Escape")

    expect(page.locator("#keys")).to_be_hidden()


def test_the_theme_turns_without_leaving_the_page_and_stays(seen: Watched, page: Page) -> None:
    seen.open("/")
    with page.expect_response("**/settings/theme/"):
        page.keyboard.press("t")

    turned = page.evaluate("() => document.documentElement.dataset.theme")
    page.reload()

    assert turned == page.evaluate("() => document.documentElement.dataset.theme") == "dark"


def test_single_keys_can_be_turned_off_and_the_others_stay(seen: Watched, page: Page) -> None:
    admin = User.objects.filter(username="admin")
    committed(lambda: admin.update(single_keys=False))
    try:
        seen.open("/")
        for key in ("?", "t", "/", "j", "g", "a"):
            page.keyboard.press(key)
        still = page.evaluate("() => [document.activeElement.tagName, document.documentElement.dataset.theme]")
        page.keyboard.press("Control+k")

        assert (page.url, still) == (f"{seen.origin}/", ["BODY", "light"])
        expect(page.locator("#jump")).to_be_visible()
    finally:
        committed(lambda: admin.update(single_keys=True))


# ---- regions in use


def test_a_region_that_nobody_uses_is_renewed_by_itself(seen: Watched, page: Page) -> None:
    open_live(seen, "/runs/")

    with one_more_run("Refund of B-1") as run:
        expect(page.locator(f"#run-{run}")).to_be_visible()


def test_a_region_with_the_focus_stays_as_it_is_and_says_what_is_new(seen: Watched, page: Page) -> None:
    open_live(seen, "/runs/")
    page.keyboard.press("j")
    rows = page.locator(ROW).all_inner_texts()

    with one_more_run("Refund of B-2") as run:
        expect(page.locator("#rows .pinned")).to_have_text("1 newN")
        assert page.locator(ROW).all_inner_texts() == rows
        assert page.inner_text("#said") == "1 new, Runs"
        assert troubles(page) == []
        page.keyboard.press("n")
        expect(page.locator(f"#run-{run}")).to_be_visible()

    expect(page.locator("#rows .pinned")).to_have_count(0)
    page.wait_for_function("() => document.activeElement.closest('tr')?.rowIndex === 2")  # the focus is on its row


def test_what_was_kept_back_comes_when_the_region_is_left(seen: Watched, page: Page) -> None:
    open_live(seen, "/runs/")
    page.keyboard.press("j")

    with one_more_run("Refund of B-3") as run:
        expect(page.locator("#rows .pinned")).to_be_visible()
        page.focus("a.jump")
        expect(page.locator(f"#run-{run}")).to_be_visible()


def test_rows_do_not_move_under_the_pointer(seen: Watched, page: Page) -> None:
    open_live(seen, "/runs/")
    page.hover(ROW)

    with one_more_run("Refund of B-4") as run:
        expect(page.locator("#rows .pinned")).to_be_visible()
        page.hover("h1")
        expect(page.locator(f"#run-{run}")).to_be_visible()


def test_a_chosen_text_stays_chosen(seen: Watched, page: Page) -> None:
    open_live(seen, "/runs/")
    page.evaluate("() => getSelection().selectAllChildren(document.querySelector('#rows td'))")

    with one_more_run("Refund of B-5"):
        expect(page.locator("#rows .pinned")).to_be_visible()

    assert "A-1001" in page.evaluate("() => getSelection().toString()")


# ---- hearing nothing


def test_an_idle_overview_asks_once_a_minute(seen: Watched, page: Page) -> None:
    seen.bend().clock.install()
    open_live(seen, "/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.clock.run_for(60_000)
    page.wait_for_timeout(300)

    regions = page.locator("[hx-trigger*='live:tick']").count()
    assert 0 < len(asked) <= regions <= 6


def test_without_the_stream_regions_are_asked_for_every_quarter_of_a_minute(seen: Watched, page: Page) -> None:
    seen.bend().route("**/live/", lambda route: route.abort())
    page.clock.install()
    page.goto(f"{seen.origin}/workflows/")

    for _ in range(2):
        with page.expect_response(lambda answer: answer.request.headers.get("hx-target") == "flows"):
            page.clock.run_for(15_500)

    expect(page.locator("[data-age]")).to_contain_text("Every 15 s, ")
    seen.wrong.clear()  # the stream that was cut


# When streams were opened by the page's own time, and how many of them have failed before the page heard of it.
NOTED = """
    window.opened = [];
    window.failed = 0;
    window.EventSource = class extends EventSource {
        constructor(address) {
            super(address);
            window.opened.push(Date.now() / 1000);
            this.addEventListener("error", () => { window.failed += 1; });
        }
    };
"""


STEPS_MS = (250, 250, 250, 250, 500, 1_500, 3_000, 3_000, 3_000)  # by how many were opened; each pause is ten or more


def test_the_stream_is_tried_again_ever_more_seldom(seen: Watched, page: Page) -> None:
    wanted = (1, 2, 4, 8, 15, 30, 30)
    seen.bend().route("**/live/", lambda route: route.abort())
    page.add_init_script(NOTED)
    page.clock.install()
    page.goto(f"{seen.origin}/workflows/")
    page.clock.pause_at(clock(page) + 1)  # from here on time passes in steps of ours, however slow the machine is

    while len(opened := page.evaluate("() => opened")) <= len(wanted) + 1:
        page.wait_for_function("n => failed === n", arg=len(opened), polling=20)
        page.clock.run_for(STEPS_MS[len(opened)])  # a pause begins at the end of the step that it failed in

    pauses = [after - before for before, after in pairwise(opened)]
    late = list(zip(wanted, pauses, strict=False))[2:]  # one or two began before time stood still
    assert [(each, was) for each, was in late if not 0.74 * each <= was <= 1.4 * each] == []
    page.goto("about:blank")
    seen.wrong.clear()


def test_a_page_says_how_old_it_is(seen: Watched, page: Page) -> None:
    seen.bend().clock.install()
    open_live(seen, "/workflows/")
    page.route("**/*", lambda route: route.abort())

    page.evaluate("() => dispatchEvent(new Event('offline'))")
    page.clock.run_for(48_000)

    mark = page.locator("[data-age]")
    expect(mark).to_have_attribute("data-state", "stale")
    expect(mark).to_contain_text("Last data 4")
    expect(mark).to_contain_text("reconnecting")
    assert troubles(page) == []
    seen.wrong.clear()


def test_a_region_that_fails_says_so_and_the_others_go_on(
    seen: Watched, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OperationalError("no")

    open_live(seen, "/workflows/")
    with monkeypatch.context() as broken:
        broken.setattr(stats, "workflows", fails)
        page.evaluate("() => document.body.dispatchEvent(new CustomEvent('live:tick'))")
        expect(page.locator("#flows")).to_contain_text("This part could not be loaded")
        expect(page.locator("#flows")).to_contain_text("Reference")
        assert troubles(page) == []

    page.click("#flows [data-retry]")

    expect(page.locator("#flows table")).to_be_visible()
    assert page.url == f"{seen.origin}/workflows/"
    seen.wrong.clear()  # the browser reports the 500


# ---- acts


def test_a_double_press_is_one_act(seen: Watched, page: Page) -> None:
    seen.open("/settings/profile/")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)

    with page.expect_navigation():
        page.evaluate(
            """() => {
                const button = document.querySelector("main form[method=post] button.primary");
                button.click(); button.click(); button.click();
            }"""
        )

    assert len(posts) == 1


def test_what_was_done_is_said_in_a_toast_that_esc_closes(seen: Watched, page: Page) -> None:
    seen.open("/settings/profile/")
    page.locator("main form[method=post] button.primary").first.click()

    expect(page.locator(".toast")).to_contain_text("Saved")
    assert troubles(page) == []
    page.keyboard.press("Escape")

    expect(page.locator(".toast")).to_have_count(0)


def test_the_menus_of_wide_and_narrow_screens_are_accessible(browser: Browser, place: Place) -> None:
    watched = look(browser, place, 390, "dark")
    watched.open("/")
    for width, opener in ((390, ".dock button"), (850, ".me .mine"), (1440, ".me .mine")):
        dress(watched.page, width, "dark")
        watched.page.click(opener)

        assert troubles(watched.page) == []
        watched.page.keyboard.press("Escape")
    assert watched.wrong == []
    watched.close()
