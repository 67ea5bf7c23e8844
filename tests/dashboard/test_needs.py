"""Needs attention, as each role reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from dashboard.finding import in_words
from dashboard.links import Links
from dashboard.needs import needs_of, role_of
from orchestration.control.attention import Item
from orchestration.workspaces.models import Membership
from tests import make
from tests.dashboard.conftest import Scene, region

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AGO = NOW - timedelta(minutes=14, seconds=30)
ITEMS = [
    Item("late", "", "", 4210, 0, 0, AGO, 9),
    Item("system", "customer-db", "customer-db", 123, 412, 3, None, 123),
    Item("asked", "Loan", "loan", 12, 0, 0, AGO, 12),
    Item("stalled", "Refund", "refund", 1, 0, 0, AGO, 1),
    Item("silent", "billing", "desk-billing", 1, 0, 1, AGO, 1, "look up"),
    Item("silent", "", "", 5, 0, 5, AGO, 5),
    Item("agent", "refund", "desk-refund", 57, 310, 1, None, 57),
    Item("workflow", "Loan", "loan", 8, 40, 0, None, 8),
    Item("asks", "Loan", "loan", 120, 250, 0, None, 120),
]


@pytest.mark.parametrize(
    ("item", "title", "sub", "mark", "href"),
    [
        (ITEMS[0], "Figures are 14 m behind", "4,210 spans wait to be stored", "Late", "/settings/health/?range=7d"),
        (
            ITEMS[1],
            "customer-db failing for 3 agents",
            "70.1% of 412 calls succeeded in the last hour",
            "Degraded",
            "/agents/?sort=failure_rate&range=7d",
        ),
        (
            ITEMS[2],
            "12 runs of Loan",
            "Ask a person, the first since 11:45",
            "14 m",
            "/runs/?status=waiting&workflow=loan",
        ),
        (
            ITEMS[3],
            "1 run of Refund stalled",
            "No end, and nothing heard for 14 m",
            "Stalled",
            "/runs/?status=stalled&workflow=refund",
        ),
        (
            ITEMS[4],
            "billing fell silent",
            "Last heard 14 m ago, at look up",
            "Silent",
            "/agents/desk-billing/?range=7d",
        ),
        (ITEMS[5], "5 agents fell silent", "The first 14 m ago", "Silent", "/agents/?state=silent&range=7d"),
        (
            ITEMS[6],
            "refund fails 18.4%",
            "57 of 310 calls in the last hour",
            "Failing",
            "/agents/desk-refund/?range=7d",
        ),
        (
            ITEMS[7],
            "Runs of Loan fail",
            "8 of 40 that ended in the last hour",
            "Failing",
            "/runs/?status=failed&workflow=loan&range=7d",
        ),
        (ITEMS[8], "Loan asks people most", "120 of 250 runs; see which step asks", "48%", "/workflows/loan/?range=7d"),
    ],
)
def test_each_kind_says_what_it_is_and_leads_to_where_one_acts(
    item: Item, title: str, sub: str, mark: str, href: str
) -> None:
    (need,) = needs_of([item], "operator", NOW, Links("7d")).shown

    assert (in_words(need.title), in_words(need.sub), need.pill or need.clock) == (title, sub, mark)
    assert need.href == href


@pytest.mark.parametrize(
    ("role", "first"), [("operator", "need-late"), ("reviewer", "need-asked-loan"), ("admin", "need-asks-loan")]
)
def test_each_role_reads_first_what_it_asks_about(role: str, first: str) -> None:
    needs = needs_of(ITEMS, role, NOW, Links("24h"))

    assert needs.shown[0].id == first
    assert (len(needs.shown), needs.count, needs.more, needs.asked) == (5, 9, 4, 12)


@pytest.mark.parametrize(
    ("roles", "role"),
    [(["operator", "admin"], "admin"), (["reviewer", "operator"], "operator"), (["reviewer"], "reviewer")],
)
def test_of_several_roles_the_widest_one_orders_the_page(roles: list[str], role: str) -> None:
    assert role_of(Membership(roles=roles)) == role


@pytest.mark.parametrize(
    ("since", "count", "words"),
    [
        (NOW - timedelta(hours=2), 1, "Asked a person at 10:00"),
        (NOW - timedelta(days=3), 2, "Ask a person, the first since 19 Nov 12:00"),
    ],
)
def test_a_wait_says_when_it_began(since: datetime, count: int, words: str) -> None:
    (need,) = needs_of([Item("asked", "Loan", "loan", count, 0, 0, since, 1)], "operator", NOW, Links("24h")).shown

    assert in_words(need.sub) == words


def test_a_system_that_fails_half_of_its_calls_is_no_longer_called_degraded() -> None:
    item = Item("system", "db", "db", 30, 50, 1, None, 30)

    (need,) = needs_of([item], "operator", NOW, Links("24h")).shown

    assert (need.pill, need.tone) == ("Failing", "crit")


def test_the_panel_names_what_fails_and_what_waits(as_operator: Client, scene: Scene) -> None:
    make.run(scene.workspace, scene.flow, status="waiting")

    text = as_operator.get("/", headers=region("attention")).content.decode()

    assert "<bdi data-untrusted>payments</bdi> failing for 1 agent" in text
    assert "Runs waiting, 1</a>" in text


def test_nothing_to_do_is_said(as_operator: Client) -> None:
    text = as_operator.get("/", headers=region("attention")).content.decode()

    assert "Nothing needs you" in text


@pytest.mark.parametrize(("role", "told"), [("admin", True), ("operator", False)])
def test_admins_alone_are_told_which_workflow_asks_people_most(
    client: Client, scene: Scene, role: str, told: bool, request: pytest.FixtureRequest
) -> None:
    client.force_login(request.getfixturevalue(role))

    assert ("asks people most" in client.get("/", headers=region("attention")).content.decode()) is told


def test_late_cases_lead_to_the_inbox_and_come_first_for_reviewers() -> None:
    late = Item("overdue", "", "", 3, 0, 0, AGO, 3)

    need = needs_of([*ITEMS, late], "reviewer", NOW, Links("7d")).shown[0]

    assert in_words(need.title) == "3 cases are late"
    assert (need.href, need.clock) == ("/inbox/", "14 m")
