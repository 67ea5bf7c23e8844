"""A person who is logged in and decides in the inbox: by a browser, or by the forms of its page as they were sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.waiting import LONG_S, came_true

PASSWORD = "story-password-12"
READ_MS = 900  # before that a press is not meant for what has just appeared
PAGE_S = LONG_S


@dataclass(frozen=True, slots=True)
class Says:
    """`amount`: what is right instead."""

    verb: str = "approve"
    amount: float | None = None
    note: str = ""


class Reviewer(Protocol):
    def decide(self, amount: float, says: Says, picture: Path | None = None) -> None:
        """Find the one case of this amount and decide it."""


@dataclass
class InBrowser:
    page: Page
    url: str

    def decide(self, amount: float, says: Says, picture: Path | None = None) -> None:
        page = self.page
        came_true(lambda: self._sees(f"{amount:,.2f}"), PAGE_S, pause=0.5)
        expect(page.locator("#batch")).to_contain_text(f"{amount:,.2f}")
        page.wait_for_timeout(READ_MS)
        if picture:
            page.screenshot(path=picture)
        getattr(self, f"_{says.verb}")(says)
        expect(page.locator("#toast")).to_contain_text("Undo")

    def _sees(self, words: str) -> bool:
        self.page.goto(f"{self.url}/inbox/")
        return words in (self.page.locator("#batch").text_content() or "")

    def _approve(self, says: Says) -> None:
        self.page.locator("#batch [data-key=a]").click()

    def _amend(self, says: Says) -> None:
        self.page.locator("#case [data-key=c]").click()
        self.page.locator("#change-amount").fill(f"{says.amount:.2f}")
        self.page.locator("#change [data-go]").click()

    def _reject(self, says: Says) -> None:
        self.page.locator("#batch [data-key=r]").click()
        self.page.locator("#reject [value=evidence]").check()
        self.page.locator("#reject-note").fill(says.note)
        self.page.locator("#reject [data-go]").click()


def in_browser(browser: Browser, url: str) -> Reviewer:
    expect.set_options(timeout=PAGE_S * 1000)
    page = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce").new_page()
    page.set_default_timeout(PAGE_S * 1000)
    page.goto(f"{url}/accounts/login/")
    page.fill("#id_login", "rita")
    page.fill("#id_password", PASSWORD)
    page.click("button[type=submit], form.form button")
    page.wait_for_url(lambda address: "login" not in address)
    return InBrowser(page, url)


@dataclass
class WithForms:
    client: httpx.Client

    def decide(self, amount: float, says: Says, picture: Path | None = None) -> None:
        assert came_true(lambda: f"{amount:,.2f}" in self._page(), PAGE_S, pause=0.5)
        page = self._page()
        form = page[page.index('id="decide"') :]
        told = {name: _field(form, name) for name in ("csrfmiddlewaretoken", "key", "case")}
        told |= {"act": says.verb, "note": says.note}
        told |= {"reason": "evidence"} if says.verb == "reject" else {}
        told |= {"amount": str(says.amount)} if says.amount is not None else {}
        address = re.search(r'action="(/inbox/[^"]+/decide/)', form)
        assert address
        answer = self.client.post(address[1], data=told)
        assert answer.status_code == 302, answer.text[:2000]

    def _page(self) -> str:
        return self.client.get("/inbox/", follow_redirects=True).text


def with_forms(url: str) -> Reviewer:
    client = httpx.Client(base_url=url, headers={"Origin": url, "Referer": f"{url}/"}, timeout=PAGE_S)
    page = client.get("/accounts/login/").text
    told = {"login": "rita", "password": PASSWORD, "csrfmiddlewaretoken": _field(page, "csrfmiddlewaretoken")}
    assert client.post("/accounts/login/", data=told).status_code == 302
    return WithForms(client)


def _field(page: str, name: str) -> str:
    tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    value = tag and re.search(r'value="([^"]*)"', tag[0])
    assert value, name
    return value[1]
