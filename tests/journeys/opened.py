"""A workspace behind the real application, and pages of it opened in a real browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Dialog, Page, Playwright, Request
from playwright.sync_api import Error as PlaywrightError
from pytest_django import DjangoDbBlocker

from escalations import intake
from orchestration.control import digest
from orchestration.handoffs import claims, sending
from orchestration.handoffs.given import Speaker
from orchestration.handoffs.models import Envelope
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.outbox.models import Endpoint, Message, State
from orchestration.registry.models import Agent
from orchestration.telemetry import retention
from orchestration.workflows.models import Run, Workflow
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Membership, User, Workspace
from tests.api.door import Door
from tests.control.test_digest import settle_all
from tests.emptying import empty
from tests.waiting import LONG_S

HOSTILE = "<img src=x onerror=alert(1)>\u202e"
HANDED = UUID(int=7)
SETTINGS = (
    "profile",
    "members",
    "keys",
    "webhooks",
    "connections",
    "prices",
    "retention",
    "health",
    "skills",
    "capacity",
    "briefs",
    "notifications",
)
LISTS = (
    "/",
    "/workflows/",
    "/runs/",
    "/agents/",
    "/handoffs/",
    f"/handoffs/{HANDED}/",
    "/inbox/",
    "/policies/",
    "/routing/",
    "/ledger/",
    "/search/",
    "/search/?q=agent",
    "/settings/webhooks/1/",
    *(f"/settings/{name}/" for name in SETTINGS),
)

# What a browser calls an error: a page that is refused, as some are here, and a region that was still asked for when
# the page was left.
EXPECTED = ("status of 40", "htmx:sendAbort", "htmx:afterRequest")

# A Chromium that has windows draws the list below its address bar anew for each, which takes longer than most pages do.
# What else is named Playwright would name itself, were this list not in its place.
LEAN = (
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,HttpsUpgrades,MediaRouter,OptimizationHints,PaintHolding,PreconnectToSearch"
)
# JavaScript's collector and compiler hand work to threads, which is quicker only while a processor has nothing to do.
# And no page of a test lives long enough for what the optimizing compilers take: a third of axe's own time.
ALONE = "--js-flags=--single-threaded,--no-opt,--no-maglev"


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is served, who is logged in, and the addresses of all that has come in."""

    port: int
    session: str
    runs: list[str]
    agents: list[str]
    workflows: list[str]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [*LISTS, *self.runs, *self.agents, *self.workflows]


@contextmanager
def furnished(port: int, blocker: DjangoDbBlocker, send: Callable[[Door], None]) -> Iterator[Place]:
    """Everything is sent, digested and settled before; afterwards the database is empty again."""
    with blocker.unblock():
        try:
            yield furnish(port, send)
        finally:
            empty()


def furnish(port: int, send: Callable[[Door], None]) -> Place:
    retention.ensure_partitions()
    space = Workspace.objects.get_or_create(slug="default", defaults={"name": "Default"})[0]
    send(Door(port, create_key(space, "test", ["ingest"])[1]))
    while digest.digest(space.pk):
        pass
    settle_all(space)
    person = User.objects.create_user("admin", password="admin-password-12")
    Membership.objects.create(user=person, workspace=space, roles=["admin"])
    ask(space, person)
    coordinate(space)
    client = Client()
    client.force_login(person)
    return Place(
        port,
        client.cookies[settings.SESSION_COOKIE_NAME].value,
        [f"/runs/{run_id}/" for run_id in Run.objects.order_by("id").values_list("id", flat=True)],
        [f"/agents/{slug}/" for slug in Agent.objects.order_by("id").values_list("slug", flat=True)],
        [f"/workflows/{slug}/" for slug in Workflow.objects.order_by("id").values_list("slug", flat=True)],
    )


def coordinate(space: Workspace) -> None:
    """What agents tell each other of a run."""
    who, run = Speaker(space.pk, 0), str(Run.objects.order_by("id").values_list("id", flat=True).first() or HOSTILE)
    envelope: dict[str, Any] = {"version": 1, "run": run, "from": HOSTILE, "to": f"to {HOSTILE}", "asked": HOSTILE}
    envelope |= {"done": [HOSTILE], "evidence": [{HOSTILE: HOSTILE}], "open_questions": [], "constraints": [HOSTILE]}
    sent = sending.send(who, envelope | {"data_classes": [], "facts": {HOSTILE: HOSTILE}}, "")
    Envelope.objects.filter(pk=sent.pk).update(id=HANDED)
    for key in (HOSTILE, f"ask:{HOSTILE}", "done"):
        row, _ = claims.claim(who, {"run": run, "key": key, "agent": HOSTILE})
    claims.finish(who, row.pk, {"result": HOSTILE})


def ask(space: Workspace, person: User) -> None:
    """What waits for people: late, without haste, for two of them; and what was answered. And who is told of it."""
    run_id = Run.objects.order_by("id").values_list("id", flat=True).first()
    said = f"{HOSTILE} is this the owner's account?"
    made: dict[str, Any] = {
        "workspace": space,
        "source": "agent",
        "agent": HOSTILE,
        "question": said,
        "proposal": said,
        "why": said,
    }
    late = timezone.now() - timedelta(minutes=5)
    Hold.objects.create(**made, due_at=late, run=HOSTILE, run_id=run_id, evidence=[said, {said: said}, 7])
    Hold.objects.create(**made, people=2, reversible=False, cost_of_waiting=said, skill="refunds", policy="none")
    verdicts.decide(Hold.objects.create(**made), Verdict(Answered.REJECT, said), person, revision=0)
    intake.take_in()
    told = Endpoint(id=1, workspace=space, url="https://hooks.example.org/baton", events=["hold.applied"], salt="s")
    told.save()
    for place, state in enumerate(State.values):
        Message.objects.create(
            workspace=space, endpoint=told, event="hold.applied", key=f"{place}", data={}, state=state
        )


BARE = "/healthz"  # a few bytes and no script, of the same origin: for another one Chromium starts a process
IDLE: list[Page] = []  # in the one browser of the journeys
OPEN: list[Watched] = []


@dataclass(eq=False)
class Watched:
    """A page, and everything that should not have happened on it."""

    page: Page
    origin: str
    wrong: list[str] = field(default_factory=list)
    lasting: bool = False  # made by `look`, for the next one too; another may be without scripts

    def __post_init__(self) -> None:
        self._heard = {
            "dialog": self._asked,
            "pageerror": lambda error: self.wrong.append(f"error {error}"),
            "console": lambda said: self._said(said.type, said.text),
            "request": self._requested,
        }
        for event, hear in self._heard.items():
            self.page.on(event, hear)  # type: ignore[call-overload]
        OPEN.append(self)

    def close(self) -> None:
        """Leaves the page to the next `look`, without anything of this one."""
        OPEN.remove(self)
        for event, hear in self._heard.items():
            self.page.remove_listener(event, hear)
        if self.lasting and self._clean():
            IDLE.append(self.page)
        else:
            self.page.context.close()

    def _clean(self) -> bool:
        try:
            self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
            self.page.goto(f"{self.origin}{BARE}")
            self.page.context.clear_cookies()
        except PlaywrightError:
            return False
        return len(self.page.context.pages) == 1

    def bend(self) -> Page:
        """The page, whose clock or network may then be changed: nobody gets it afterwards."""
        self.lasting = False
        return self.page

    def _asked(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and not any(words in text for words in EXPECTED):
            self.wrong.append(f"console {text}")

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:")):
            self.wrong.append(f"request {request.url}")

    def open(self, path: str) -> str:
        """The page's HTML as it was sent."""
        answer = self.page.goto(self.origin + path, wait_until="load")
        assert answer is not None
        return answer.text()


@contextmanager
def browsing(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", LEAN, ALONE])
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
        "1"  # playwright leaves an event loop running, which Django takes for ours
    )
    try:
        yield browser
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        OPEN.clear()
        IDLE.clear()
        browser.close()


def look(browser: Browser, place: Place, width: int = 1440, theme: str = "light") -> Watched:
    """A page of somebody who is logged in: one that another `look` has left, since it takes longer to make one than to
    fill it."""
    if IDLE:
        page = IDLE.pop()
        page.set_viewport_size({"width": width, "height": 900})
    else:
        page = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce").new_page()
        page.context.set_default_timeout(LONG_S * 1000)
    page.context.add_cookies(
        [
            {"name": settings.SESSION_COOKIE_NAME, "value": place.session, "url": place.origin},
            {"name": "theme", "value": theme, "url": place.origin},
        ]
    )
    return Watched(page, place.origin, lasting=True)
