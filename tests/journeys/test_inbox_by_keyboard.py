"""A hundred mixed cases, decided by keyboard alone; and the inbox in both themes and every width."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from escalations import acts, intake
from escalations.models import Act, Batch, Escalation
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.workspaces.models import Workspace
from tests.escalations.conftest import ODD, plain, second
from tests.escalations.held import holds, questions
from tests.journeys.axe import LOOKS, dress, faults, troubles
from tests.journeys.opened import Place, Watched, furnished, look
from tests.journeys.test_pages_in_use import committed
from tests.waiting import LONG_S

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
WIDTHS = (320, 768, 981, 1024, 1180, 1920)
QUESTIONS = ("reject", "ask-more", "assign", "snooze", "more-acts")


def mixed(space: Workspace) -> None:
    """A hundred cases of seven kinds: refunds of which some differ, payouts, checks of names, questions."""
    now = timezone.now()
    refunds = [ODD, *(plain(place % 20) for place in range(23))]
    holds(space, refunds, due_at=now + timedelta(minutes=20))
    holds(
        space,
        [plain(place % 20) for place in range(16)],
        action="credit",
        policy="credit",
        due_at=now + timedelta(minutes=40),
    )
    names = [{"context": {"match": 0.93, "list": "EU"}} for _ in range(20)]
    holds(space, names, agent="screener", action="clear", policy="name-match", due_at=now + timedelta(hours=1))
    moves = [{"context": {"abroad": True, "calls": 1}} for _ in range(15)]
    holds(space, moves, agent="triage", action="address.change", policy="address", due_at=now + timedelta(hours=2))
    payouts = [{"amount": 1000 + place, "context": {"matched": True}} for place in range(15)]
    holds(space, payouts, agent="payer", action="payout", policy="payouts", due_at=now + timedelta(hours=3))
    holds(space, [{"context": {"match": 0.99}}], agent="screener", action="sanctions", policy="sanctions")
    questions(space, [f"May I send letter {place}?" for place in range(9)], due_at=now + timedelta(hours=4))
    while intake.take_in():
        pass


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    def furniture(_: object) -> None:
        space = Workspace.objects.get(slug="default")
        mixed(space)

    with furnished(served, django_db_blocker, furniture) as place:
        for model in (Hold, Escalation, Batch):  # what other journeys ask about
            model.objects.filter(agent__contains="<").delete()
        yield place


@pytest.fixture
def seen(browser: Browser, place: Place) -> Iterator[Watched]:
    watched = look(browser, place)
    yield watched
    watched.close()


def left() -> int:
    return int(committed(Escalation.objects.filter(open=True).count))


@pytest.fixture(autouse=True)
def filled(place: Place) -> None:
    """Whichever test came before, a hundred cases wait."""
    while committed(intake.take_in):  # what other tests have decided
        pass
    if left() < 100:
        committed(lambda: mixed(Workspace.objects.get(slug="default")))


@pytest.fixture(autouse=True)
def unhurried(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done in a test may be taken back however slow the machine is, and what was done before may not."""
    for module in (verdicts, acts):
        monkeypatch.setattr(module, "UNDO", timedelta(minutes=10))
    committed(lambda: Act.objects.update(undo_until=timezone.now()))


def pressed(page: Page, key: str) -> None:
    """As soon as the batch has stood open for the 0.8 s before which a key is not meant for it."""
    page.wait_for_timeout(820)
    page.keyboard.press(key)


def decide_what_is_open(page: Page) -> None:
    """What starts selected is approved; what differs is looked at and rejected for a reason."""
    before = [page.locator("#batch").get_attribute("data-batch"), page.locator("#batch tbody input").count()]
    if page.locator("#batch tbody input:checked").count():
        pressed(page, "a")
    else:
        page.keyboard.press("Shift+A")
        pressed(page, "r")
        page.keyboard.press("3")
        page.keyboard.press("Enter")
    page.wait_for_function(
        "([batch, n]) => document.querySelector('[name=sure]') || "
        "document.querySelector('#batch')?.dataset.batch !== batch"
        " || document.querySelectorAll('#batch tbody input').length !== n",
        arg=before,
    )
    if page.locator("[name=sure]").count():  # so many so soon: asked once
        page.keyboard.press("y")
    page.wait_for_function(
        "([batch, n]) => document.querySelector('#batch')?.dataset.batch !== batch"
        " || document.querySelectorAll('#batch tbody input').length !== n",
        arg=before,
    )


def more(page: Page) -> bool:
    """Whether something is left to decide, once the page says either; while a batch is swapped there is none."""
    return bool(
        page.wait_for_function(
            "() => document.querySelector('#batch[data-batch] tbody input') ? 'yes' : "
            "document.body.innerText.includes('Nothing needs you') && 'no'"
        ).json_value()
        == "yes"
    )


def test_a_hundred_mixed_cases_are_decided_by_keyboard_in_minutes(seen: Watched) -> None:
    page, cases, batches = seen.page, left(), committed(Batch.objects.filter(closed_at=None).count)
    assert cases >= 100
    seen.open("/inbox/")
    began, keys = time.monotonic(), 0

    while more(page):
        decide_what_is_open(page)
        keys += 1
        assert time.monotonic() - began < 300

    took = time.monotonic() - began
    print(f"{cases} mixed cases in {batches} batches, by keyboard: {took:.1f} s, {keys} verdicts")
    expect(page.get_by_text("Nothing needs you")).to_be_visible()
    assert left() == 0
    assert [each for each in seen.wrong if "status of 422" not in each] == []


def test_axe_finds_nothing_in_any_pane_or_question_and_none_is_too_wide(browser: Browser, place: Place) -> None:
    page = look(browser, place, *LOOKS[0])
    batch = committed(lambda: Batch.objects.filter(closed_at=None).order_by("-differing", "-cases").first())
    assert batch is not None
    found: list[tuple[object, ...]] = []
    for path in (f"/inbox/{batch.pk}/?case=1", "/inbox/", f"/inbox/{batch.pk}/"):
        page.open(path)
        found += [(path, *fault) for fault in faults(page.page, WIDTHS)]
    for name in QUESTIONS:  # on the last of them
        for each in LOOKS:
            dress(page.page, *each)
            page.page.evaluate("(id) => document.getElementById(id).showPopover()", name)
            found += [(name, *each, *trouble) for trouble in troubles(page.page, f"#{name}")]
            page.page.keyboard.press("Escape")

    assert found == []
    page.close()


def keep_one(page: Page) -> None:
    """Of what is chosen."""
    boxes = page.locator("#batch tbody input[name=case]")
    for place in range(boxes.count()):
        boxes.nth(place).set_checked(place == 1)


def test_z_takes_back_the_latest_and_then_the_one_before(seen: Watched) -> None:
    page, before = seen.page, left()
    seen.open("/inbox/?sort=largest")
    for _ in range(2):
        page.locator("#batch tbody input:checked").nth(1).wait_for()
        keep_one(page)
        with page.expect_response("**/decide/**"):
            pressed(page, "a")
        expect(page.locator("#toast .toast")).to_contain_text("Approved 1")
    expect(page.locator("#toast .toast")).to_contain_text("and 1 decision before")
    assert left() == before - 2

    with page.expect_response("**/undo/**"):
        page.keyboard.press("z")
    expect(page.locator("#toast .toast")).not_to_contain_text("before")
    with page.expect_response("**/undo/**"):
        page.keyboard.press("z")
    expect(page.locator("#toast .toast")).to_contain_text("Taken back")

    assert left() == before
    assert seen.wrong == []


def test_a_key_meant_for_the_last_batch_does_not_decide_the_next(seen: Watched) -> None:
    page, before = seen.page, left()
    seen.open("/inbox/")

    page.locator("#batches a.batch").nth(1).click()
    page.locator("#batches li:nth-child(2) a[aria-current]").wait_for()
    page.keyboard.press("a")
    page.keyboard.press("r")
    page.wait_for_timeout(300)

    assert left() == before
    assert page.locator("#reject:popover-open").count() == 0


def test_a_case_decided_elsewhere_is_marked_where_it_stands(seen: Watched) -> None:
    page = seen.page
    seen.open("/inbox/")
    expect(page.locator("[data-age]")).to_contain_text("Live, ")
    order = page.locator("#batch tbody tr").evaluate_all("(rows) => rows.map((row) => row.id)")
    third = order[2].removeprefix("c-")
    other = committed(lambda: second(Workspace.objects.get(slug="default"), f"other-{third[-6:]}"))

    def reject() -> None:
        hold = Hold.objects.get(pk=third)
        verdicts.decide(hold, Verdict(Answered.REJECT, "no"), other, revision=hold.revision)

    committed(reject)

    expect(page.locator(f"#c-{third}")).to_contain_text("Rejected by Reviewer Two")
    assert page.locator(f"#c-{third} input").count() == 0
    assert page.locator("#batch tbody tr").evaluate_all("(rows) => rows.map((row) => row.id)") == order
    committed(intake.take_in)


# The text of the next answer about one batch comes once `window.come` is called; its heading has come before.
SLOW_TEXT = """(path) => {
    const text = Response.prototype.text;
    Response.prototype.text = async function () {
        const said = await text.call(this);
        if (!this.url.includes(path) || window.come) return said;
        return new Promise((go) => { window.come = () => go(said); });
    };
}"""
COME = "() => { window.come(); return new Promise((done) => setTimeout(done, 50)); }"


def test_news_of_one_batch_that_comes_when_the_next_is_open_marks_nothing_in_it(seen: Watched) -> None:
    page = seen.page
    seen.open("/inbox/")
    page.evaluate(SLOW_TEXT, page.locator("#batch").get_attribute("data-batch"))
    page.evaluate("() => document.body.dispatchEvent(new CustomEvent('live:batch'))")
    page.wait_for_function("() => window.come")

    page.locator("#batches a.batch").nth(1).click()
    page.locator("#batches li:nth-child(2) a[aria-current]").wait_for()
    waiting = page.locator("#batch tbody input").count()
    page.evaluate(COME)

    assert page.locator("#batch tbody input").count() == waiting > 0
    assert page.locator("#batch .gone-row").count() == 0


def test_a_case_that_comes_when_another_batch_is_open_is_not_shown_beside_it(seen: Watched) -> None:
    page = seen.page
    seen.open("/inbox/")
    page.locator("#batches a.batch", has_text="Sanctions").first.click()
    page.locator("#batches a[aria-current]", has_text="Sanctions").wait_for()
    decided = page.locator("#batch").get_attribute("data-batch")
    page.evaluate(SLOW_TEXT, "case=")
    page.locator("#batch tbody a").first.click()
    page.wait_for_function("() => window.come")

    pressed(page, "a")
    page.wait_for_function("(batch) => document.getElementById('batch').dataset.batch !== batch", arg=decided)
    beside = page.locator("#case").inner_html()
    page.evaluate(COME)

    assert page.locator("#case").inner_html() == beside


def test_all_of_it_works_without_a_script(browser: Browser, place: Place) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=place.origin)
    context.set_default_timeout(LONG_S * 1000)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": place.session, "url": place.origin}])
    page, before = context.new_page(), left()
    page.goto("/inbox/")
    page.locator("#batches a.batch").first.click()
    keep_one(page)

    page.get_by_role("button", name="Approve A").click()
    expect(page.locator("#toast")).to_contain_text("Approved 1")
    assert left() == before - 1
    page.get_by_role("button", name="Undo").click()

    assert left() == before
    context.close()
