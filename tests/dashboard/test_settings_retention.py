"""How long what is kept: less asks first, names what goes, and holds only what was agreed to."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.workspaces.models import Workspace
from tests import make
from tests.dashboard.policy_scene import decided

PAGE = "/settings/retention/"


def kept(workspace: Workspace) -> tuple[int, int]:
    workspace.refresh_from_db()
    return workspace.span_days, workspace.run_days


def test_keeping_more_is_saved_at_once(proven: Client, workspace: Workspace) -> None:
    answer = proven.post(PAGE, {"span_days": "60", "run_days": "800", "slug": "x", "currency": "XXX"}, follow=True)

    assert b"Spans are kept 60 days, runs 800." in answer.content
    assert kept(workspace) == (60, 800)
    assert (workspace.slug, workspace.currency) == ("default", "USD")


def test_keeping_less_asks_first_and_names_what_goes(proven: Client, workspace: Workspace) -> None:
    past = timezone.now() - timedelta(days=20)
    make.calls(workspace, make.agent(workspace), n=12, at=past)
    make.run(workspace, started_at=past)

    page = proven.post(PAGE, {"span_days": "7", "run_days": "10"}).content.decode()

    assert kept(workspace) == (30, 400)
    assert "<b>12 spans</b>" in page
    assert "<b>1 runs</b>" in page or "<b>1 run</b>" in page
    assert "This cannot be undone." in page


def test_what_was_agreed_to_is_done(proven: Client, workspace: Workspace) -> None:
    page = proven.post(PAGE, {"span_days": "7", "run_days": "10"}).content.decode()
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page.split("ask-h")[-1]))

    answers = [proven.post(PAGE, hidden, follow=True) for _ in range(2)]

    assert kept(workspace) == (7, 10)
    assert b"Spans are kept 7 days, runs 10." in answers[0].content
    assert answers[1].status_code == 200


def test_an_agreement_to_something_else_asks_again(proven: Client, workspace: Workspace) -> None:
    page = proven.post(PAGE, {"span_days": "20", "run_days": "400"}).content.decode()
    agreed = re.findall(r'name="agreed" value="([^"]+)"', page)[0]

    answer = proven.post(PAGE, {"span_days": "1", "run_days": "400", "agreed": agreed})

    assert kept(workspace) == (30, 400)
    assert b"This cannot be undone." in answer.content


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"span_days": "0", "run_days": "400"}, "greater than or equal to 1"),
        ({"span_days": "181", "run_days": "400"}, "less than or equal to 180"),
        ({"span_days": "30", "run_days": "29"}, "at least as long"),
        ({"span_days": "30", "run_days": "99999"}, "less than or equal to"),
        ({"span_days": "1e3", "run_days": "400"}, "whole number"),
        ({"span_days": "9" * 400, "run_days": "400"}, "Nothing was saved"),
        ({}, "required"),
    ],
)
def test_days_that_cannot_be_are_refused_beside_their_field(
    proven: Client, workspace: Workspace, form: dict[str, Any], said: str
) -> None:
    answer = proven.post(PAGE, form)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert kept(workspace) == (30, 400)


def test_content_is_kept_or_not_as_ticked(proven: Client, workspace: Workspace) -> None:
    off = proven.post(f"{PAGE}content/", follow=True)
    workspace.refresh_from_db()
    was = workspace.keeps_content
    on = proven.post(f"{PAGE}content/", {"keeps_content": "on"}, follow=True)

    workspace.refresh_from_db()
    assert b"are not stored from now on" in off.content
    assert b"are stored from now on" in on.content
    assert (was, workspace.keeps_content) == (False, True)


def test_a_session_alone_changes_no_retention(as_admin: Client, workspace: Workspace) -> None:
    for address in (PAGE, f"{PAGE}content/"):
        assert "/accounts/again/" in as_admin.post(address, {"span_days": "60", "run_days": "800"})["Location"]
    assert kept(workspace) == (30, 400)


def test_the_page_shows_what_each_kind_takes(as_admin: Client) -> None:
    page = as_admin.get(PAGE).content.decode()

    for kind in ("Spans", "Logs", "Minute figures", "Runs", "Deliveries"):
        assert f"<td>{kind}</td>" in page
    assert "30 days" in page
    assert "400 days" in page


def test_facts_of_decisions_are_kept_for_so_long_and_what_stays_is_said(proven: Client, workspace: Workspace) -> None:
    decided(workspace, 2, at=timezone.now() - timedelta(days=50))
    decided(workspace, 1)
    sent = {"span_days": "30", "run_days": "400", "decision_days": "40"}
    page = proven.post(PAGE, sent).content.decode()

    assert "The facts of <b>2 decisions</b> before" in page
    assert "Kept for good" in page
    agreed = re.findall(r'name="agreed" value="([^"]+)"', page)[0]
    done = proven.post(PAGE, sent | {"agreed": agreed}, follow=True).content.decode()
    workspace.refresh_from_db()

    assert "Facts of decisions are kept 40." in done
    assert workspace.decision_days == 40
    assert proven.post(PAGE, sent | {"decision_days": "0"}).status_code == 422
