"""The fleet and one of its agents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from dashboard.views.agents import finding, shade
from orchestration.control.fleet import AgentLine, SystemUse
from orchestration.workflows.runs import Tokens
from orchestration.workspaces.models import Workspace
from tests import make
from tests.dashboard.conftest import Scene, region

AGENT = AgentLine(
    id="shop-refund",
    name="refund",
    application="shop",
    environment="",
    kind="ai",
    state="working",
    current=None,
    last_seen=None,
    version="",
    runs=12,
    calls=100,
    failures=20,
    failure_rate=0.2,
    interval=(0.133, 0.289),
    spans=100,
    errors=20,
    tokens=Tokens(0, 0),
    cost=None,
    p50_ms=None,
    p95_ms=None,
    systems=[],
)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"state": "quarantined"}, "refund is quarantined"),
        ({"state": "silent"}, "refund fell silent in the middle of a run"),
        ({"calls": 4, "failures": 4}, "refund made 4 calls in the last day"),
        ({"calls": 0, "failures": 0}, "refund made no call in the last day"),
        ({"failures": 0, "failure_rate": 0.0}, "refund has not failed in 100 calls"),
        ({}, "refund fails 20% of its calls"),
    ],
)
def test_the_finding_says_what_stands_out(changed: dict[str, Any], words: str) -> None:
    assert finding(replace(AGENT, **changed), "the last day").words == words


def test_a_rate_carries_its_size_and_its_interval() -> None:
    lede = "".join(part.text for part in finding(AGENT, "the last day").lede)

    assert lede == "100 calls in the last day, 20% failed (95% interval 13.3 to 28.9%), in 12 runs."


@pytest.mark.parametrize(
    ("calls", "failures", "colour"),
    [(29, 29, "nil"), (100, 40, "h0"), (100, 20, "h1"), (100, 10, "h2"), (100, 0, "h4")],
)
def test_a_system_has_a_shade_only_with_enough_calls(calls: int, failures: int, colour: str) -> None:
    assert shade(SystemUse("s", "s", "system", calls, failures, None, None)) == colour


def test_the_list_shows_state_and_failures(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/agents/").content.decode()

    assert 'id="agent-desk-billing"' in text
    assert "40%" in text
    assert "Working" in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [("?q=bill", ["desk-billing"]), ("?state=quarantined", []), ("?state=nonsense", ["desk-billing", "desk-triage"])],
)
def test_the_list_is_narrowed_by_the_address(as_operator: Client, scene: Scene, query: str, shown: list[str]) -> None:
    text = as_operator.get(f"/agents/{query}").content.decode()

    assert [slug for slug in ("desk-billing", "desk-triage") if f'id="agent-{slug}"' in text] == shown


def test_a_column_that_orders_the_list_says_so(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/agents/?sort=failure_rate").content.decode()

    assert 'aria-sort="descending"' in text
    assert text.index('id="agent-desk-billing"') < text.index('id="agent-desk-triage"')


@pytest.mark.parametrize(("path", "target"), [("/agents/", "fleet"), ("/agents/desk-billing/", "matrix")])
def test_a_region_is_what_the_page_shows_there(as_operator: Client, scene: Scene, path: str, target: str) -> None:
    page = as_operator.get(path).content.decode()

    part = as_operator.get(path, headers=region(target)).content.decode()

    assert part.strip() in page


def test_one_agent_shows_its_systems_and_newest_runs(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/agents/desk-billing/").content.decode()

    assert "payments" in text
    assert '<span class="heat-cell h0">60%</span>' in text
    assert f'id="run-{scene.run.id}"' in text


def test_an_agent_that_nobody_has_heard_of_is_not_found(as_operator: Client) -> None:
    assert as_operator.get("/agents/nobody/").status_code == 404


def test_many_agents_come_in_pages(as_operator: Client, workspace: Workspace) -> None:
    for n in range(60):
        make.agent(workspace, f"agent-{n:02}")

    text = as_operator.get("/agents/").content.decode()

    assert text.count('id="agent-') == 50
    assert 'rel="next"' in text
    assert as_operator.get("/agents/?cursor=nonsense").status_code == 400
