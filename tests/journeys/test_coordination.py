"""Three agents who get in each other's way, and do not any more once they are told to coordinate: the same matters
twice, with the same faults drawn, and the counts read off the page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from orchestration.control import coordinating, digest
from orchestration.demo.arrivals import Plan
from orchestration.demo.company import Company, found
from orchestration.demo.history import PATIENT
from orchestration.demo.refunds import small_refund
from orchestration.demo.rhythm import MINUTE, Rhythm
from orchestration.demo.scene import Scene
from orchestration.demo.stage import Stage
from orchestration.handoffs.models import Claim, Envelope, Holding, Passing
from orchestration.telemetry import retention
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Membership, User, Workspace
from tests.control.test_digest import settle_all
from tests.emptying import empty
from tests.journeys.axe import faults
from tests.journeys.opened import Place, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGE = "/workflows/refund-request/coordination/"
MATTERS = 16


@pytest.fixture(scope="module")
def place(served: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Place]:
    with django_db_blocker.unblock():
        retention.ensure_partitions()
        space = Workspace.objects.get_or_create(slug="default", defaults={"name": "Default"})[0]
        admin = User.objects.create_user("admin", password="admin-password-12")
        Membership.objects.create(user=admin, workspace=space, roles=["admin"])
        client = Client()
        client.force_login(admin)
        try:
            yield Place(served, client.cookies[settings.SESSION_COOKIE_NAME].value, [], [], [])
        finally:
            empty()


def played(place: Place, key: str, at_ns: int, more: str) -> None:
    """The same matters at another moment, told to the last span."""
    stage = Stage(clock=lambda: at_ns)
    company = found(place.origin, key, Plan(Rhythm(at_ns, days=0), 1), stage, PATIENT, asks=True)
    company.asking.since_ns, company.asking.clock = 0, lambda: 1 << 62  # nobody waits for a decision
    for number, scene in enumerate(scenes(company)):
        scene.conversation += more
        stage.begin(small_refund(scene), at_ns, Random(f"{number} {at_ns}"))
    stage.rush(at_ns + 10 * MINUTE)
    assert company.close(60.0)["dropped"] == 0


def scenes(company: Company) -> list[Scene]:
    """In which the payment service works: what is wrong with it is not for agents to agree about."""
    drawn = (Scene(company.actors, company.plan.rhythm, Random(number), company.asking) for number in range(200))
    able = (each for each in drawn if not (each.faults.timeouts or each.faults.abusive or each.faults.crashes))
    return [scene for scene, _ in zip(able, range(MATTERS), strict=False)]


def counted(space: Workspace) -> None:
    while digest.digest(space.pk):
        pass
    settle_all(space)
    while coordinating.sweep():
        pass


def cells(page: Page) -> dict[str, tuple[int, int]]:
    """By kind: counted before and since, as the page says."""

    def number(kind: str, side: str) -> int:
        return int(page.locator(f'[data-cell="{kind}-{side}"] .b').inner_text())

    kinds = ("looked", "asked", "timed_out", "differed")
    return {kind: (number(kind, "before"), number(kind, "since")) for kind in kinds}


def test_the_usual_mess_is_gone_once_agents_coordinate(place: Place, browser: Browser) -> None:
    space = Workspace.objects.get()
    _, key = create_key(space, "simulated agents", ["ingest", "decide", "work"])
    played(place, key, time.time_ns() - 20 * MINUTE, "-before")
    counted(space)
    assert not Claim.objects.exists()
    watched = look(browser, place)
    page = watched.page

    watched.open(PAGE)
    expect(page.locator("h1")).to_contain_text("are not told to coordinate")
    page.get_by_label("Why").fill("The same look-up twice, and two requests to one customer")
    page.get_by_role("button", name="Switch on").click()
    expect(page.locator("h1")).to_contain_text("no run that began has been counted")

    played(place, key, time.time_ns(), "-since")
    counted(space)
    watched.open(PAGE)

    expect(page.locator("h1")).to_contain_text(f"0 repeated look-ups in {MATTERS} runs; before")
    told = cells(page)
    assert all(before > 0 for before, _ in told.values()), told
    assert all(since == 0 for _, since in told.values()), told
    assert set(Claim.objects.values_list("state", flat=True)) == {Holding.DONE}
    assert set(Envelope.objects.values_list("state", flat=True)) == {Passing.COMPLETED}
    assert faults(page) == []
    assert watched.wrong == []
