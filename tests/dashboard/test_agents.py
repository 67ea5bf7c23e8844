"""The fleet and one of its agents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.links import Links
from dashboard.views import agents
from dashboard.views.agent import cell, finding, matrix
from orchestration.control.fleet import AgentLine
from orchestration.control.usage import Use
from orchestration.telemetry.spans import Kind
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

    assert lede == "100 calls in the last day, 20 failed (95% interval 13.3 to 28.9%), in 12 runs."


@pytest.mark.parametrize(
    ("calls", "failures", "shown"),
    [
        (0, 0, ("–", "", "nil")),  # noqa: RUF001
        (29, 20, ("9 of 29", "too few for a rate", "nil")),
        (100, 40, ("60%", "100", "h0")),
        (100, 20, ("80%", "100", "h1")),
        (100, 10, ("90%", "100", "h2")),
        (1000, 30, ("97%", "1,000", "h3")),
        (100, 0, ("100%", "100", "h4")),
    ],
)
def test_a_cell_has_a_rate_and_a_shade_only_with_enough_calls(
    calls: int, failures: int, shown: tuple[str, str, str]
) -> None:
    found = cell(Use(calls, failures))

    assert (found.text, found.small, found.shade) == shown


def test_systems_stand_against_kinds_of_calls_the_most_called_first() -> None:
    uses = {(1, int(Kind.TOOL)): Use(40, 4), (2, int(Kind.LLM)): Use(60, 0), (2, int(Kind.TOOL)): Use(40, 40)}

    found = matrix(uses, {1: "payments", 2: "gpt"})

    assert found.heads == ["Model calls", "Tools"]
    assert [(row.name, [each.text for each in row.cells], row.total.text) for row in found.rows] == [
        ("gpt", ["100%", "0%"], "60%"),
        ("payments", ["–", "90%"], "90%"),  # noqa: RUF001
    ]


@pytest.mark.parametrize(
    ("lines", "words", "lede"),
    [
        ([], "No agent has been heard of", ""),
        ([AGENT], "1 of 1 agent is active", "refund fails most: 20% of 100 calls."),
        (
            [AGENT, replace(AGENT, state="silent")],
            "refund is silent",
            "1 of 2 agents are active. refund fails most: 20",
        ),
        (
            [replace(AGENT, state="held")] * 2,
            "2 agents are held until a person answers",
            "2 of 2 agents are active. refund fails most: 20% of",
        ),
        ([replace(AGENT, calls=9)], "1 of 1 agent is active", "None of them fails often enough to tell."),
    ],
)
def test_the_fleet_is_summed_up_in_a_sentence(lines: list[AgentLine], words: str, lede: str) -> None:
    found = agents.finding(lines, Links("24h"))

    assert found.words == words
    assert "".join(part.text for part in found.lede).startswith(lede)


def test_the_list_shows_state_and_failures(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/agents/").content.decode()

    assert 'id="agent-desk-billing"' in text
    assert "40%" in text
    assert "Working" in text


def test_the_list_is_narrowed_by_the_address(as_operator: Client, scene: Scene) -> None:
    narrowed: dict[str, list[str]] = {
        "?q=bill": ["desk-billing"],
        "?q=application:desk+bill": ["desk-billing"],
        "?q=version:9": [],
        "?application=nowhere": [],
        "?state=quarantined": [],
        "?state=nonsense": [],
    }

    pages = {query: as_operator.get(f"/agents/{query}").content.decode() for query in narrowed}

    assert narrowed == {
        query: [slug for slug in ("desk-billing", "desk-triage") if f'id="agent-{slug}"' in text]
        for query, text in pages.items()
    }


def test_a_column_that_orders_the_list_says_so(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/agents/?sort=failure_rate").content.decode()

    assert 'aria-sort="descending"' in text
    assert text.index('id="agent-desk-billing"') < text.index('id="agent-desk-triage"')


def test_a_region_is_what_the_page_shows_there(as_operator: Client, scene: Scene) -> None:
    regions = [("/agents/", "fleet"), *(("/agents/desk-billing/", each) for each in ("state", "matrix", "causes"))]

    pages = {path: as_operator.get(path).content.decode() for path, _ in regions}
    parts = {at: as_operator.get(at[0], headers=region(at[1])).content.decode().strip() for at in regions}

    assert [at for at, part in parts.items() if not part or part not in pages[at[0]]] == []


def test_one_agent_shows_its_systems_and_newest_runs(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/agents/desk-billing/").content.decode()

    assert "payments" in text
    assert '<td class="h0">60%<small>50</small></td>' in text
    assert "fails 40% of its calls" in text
    assert f'id="run-{scene.run.id}"' in text


def test_an_agent_that_nobody_has_heard_of_is_not_found(as_operator: Client) -> None:
    assert as_operator.get("/agents/nobody/").status_code == 404


def test_many_agents_come_in_pages(as_operator: Client, workspace: Workspace) -> None:
    for n in range(60):
        make.agent(workspace, f"agent-{n:02}")

    text = as_operator.get("/agents/").content.decode()

    second = as_operator.get(
        text.split(' rel="next"')[0].rpartition('href="')[2][:-1].replace("&amp;", "&")
    ).content.decode()

    assert text.count('id="agent-') == 50
    assert second.count('id="agent-') == 10
    assert ("1 to 50 of 60" in text, "51 to 60 of 60" in second) == (True, True)
    assert 'href="/agents/" rel="prev"' in second
    assert 'rel="next"' in text
    assert as_operator.get("/agents/?cursor=nonsense").status_code == 400


def test_failures_are_told_by_cause(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/agents/desk-billing/").content.decode()
    causes = text.split('id="causes"')[1].split("</section>")[0]

    assert "Timeout: no answer from payments" in causes
    assert f"/runs/{scene.run.id}/?span={scene.failed.id.hex()}#span" in causes
    assert "No failed step" in as_operator.get("/agents/desk-triage/").content.decode()


def test_the_board_says_at_what_case_an_agent_is_and_for_whom_it_waits(as_operator: Client, scene: Scene) -> None:
    trace = b"w" * 16
    began = timezone.now() - timedelta(minutes=5)
    run = make.run(scene.workspace, scene.flow, traces=[trace], status="waiting", started_at=began, title="Order 7")
    make.pulse(scene.triage, began, trace_id=trace, step="ask_person")

    row = as_operator.get("/agents/").content.decode().split('id="agent-desk-triage"')[1].split("</tr>")[0]

    assert "Waiting" in row
    assert "for a person" in row
    assert f'href="/runs/{run.id}/"' in row
    assert "Order 7" in row


def test_many_agents_cost_no_more_questions_than_few(
    as_operator: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    for n in range(40):
        make.calls(workspace, make.agent(workspace, f"agent-{n:02}"), n=3)

    with django_assert_max_num_queries(23):
        as_operator.get("/agents/")
