"""An inbox in which nothing waits, left open until something does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pytest_django import DjangoDbBlocker

from escalations import intake
from escalations.models import Batch, Escalation
from orchestration.holds.models import Hold
from orchestration.lib import pulse
from orchestration.workspaces.models import Workspace
from tests.escalations.held import questions
from tests.journeys.opened import Place, furnished, look
from tests.journeys.test_pages_in_use import committed

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with furnished(served, django_db_blocker, lambda _: None) as place:
        for model in (Hold, Escalation, Batch):  # what other journeys ask about
            model.objects.all().delete()
        yield place


def comes(text: str) -> None:
    def ask() -> None:
        space = Workspace.objects.get(slug="default")
        questions(space, [text])
        intake.take_in()
        pulse.publish(space.pk, "batch")

    committed(ask)


def learnt_otherwise() -> None:
    Escalation.objects.update(selected=False)
    pulse.publish(Workspace.objects.get(slug="default").pk, "batch")


def test_what_comes_stands_open_where_nothing_was(browser: Browser, place: Place) -> None:
    seen = look(browser, place)
    seen.open("/inbox/")
    expect(seen.page.locator("#batch")).to_contain_text("Nothing needs you")
    expect(seen.page.locator("[data-age]")).to_contain_text("Live, ")

    comes("May I send letter 17?")

    expect(seen.page.locator("#batch h1")).to_contain_text("Questions of front-desk")
    expect(seen.page.locator("#batches a.batch[aria-current]")).to_have_count(1)
    assert seen.wrong == []
    comes("May I fly to the moon?")  # and what stands open stays
    expect(seen.page.locator("#batches")).to_contain_text("2")
    expect(seen.page.locator("#batch h1")).to_contain_text("Questions of front-desk")

    box, approve = seen.page.locator("#batch tbody input[name=case]"), seen.page.locator(".actbar .btn.primary")
    expect(box).to_be_checked()
    expect(approve).to_have_attribute("aria-disabled", "false")
    committed(learnt_otherwise)
    expect(box).not_to_be_checked()  # nor is it approved with a press that meant something else
    expect(approve).to_have_attribute("aria-disabled", "true")
    expect(seen.page.locator("#said")).to_have_text("1 stands out by now")
    seen.close()
