"""The overview: each branch of its finding, its five answers, its states."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from dashboard.answers import answers
from dashboard.views.overview import finding
from orchestration.control.health_figures import SpanFlow
from orchestration.control.overview import Before, FailingAgent, HoldFigures, Overview, Points
from orchestration.control.states import Census
from orchestration.workflows.stats import Bottleneck, Durations
from tests.dashboard.conftest import Scene, region

EMPTY = Durations("", "", 0, 0, None, None, None)
POINTS = Points([0] * 24, [0] * 24, [None] * 24, [None] * 24, [None] * 24)
QUIET = Overview(
    window="24h",
    as_of=datetime(2026, 11, 22, tzinfo=UTC),
    active_agents=2,
    agents=Census(working=2, waiting=0, idle=1, held=0, silent=0, quarantined=0),
    runs_in_progress=3,
    bottlenecks=[],
    failing_agents=[],
    durations=[],
    holds=HoldFigures(0, None),
    spans=SpanFlow(10, 10, 0, 40.0),
    runs_waiting=0,
    runs_ended=replace(EMPTY, runs=60, failed=2, p50_ms=1_000, p90_ms=3_000, p99_ms=9_000),
    workflows=[],
    points=POINTS,
    before=None,
)
WORST = FailingAgent("refund", "shop-refund", "shop", 20, 100, 0.2, (0.13, 0.29))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"agents": Census(1, 0, 0, 0, 0, 2)}, "2 agents are quarantined"),
        ({"agents": Census(1, 0, 0, 0, 0, 1)}, "1 agent is quarantined"),
        ({"spans": SpanFlow(9, 1, 8, 95_000.0)}, "Figures are 1 m 35 s behind what agents have sent"),
        ({"agents": Census(1, 0, 0, 0, 3, 0)}, "3 agents fell silent in the middle of a run"),
        ({"failing_agents": [WORST]}, "refund fails 20% of its calls"),
        ({"failing_agents": [replace(WORST, calls=20, failures=4)]}, "3 runs in progress, nothing waits on you"),
        ({"failing_agents": [replace(WORST, interval=(0.05, 0.3))]}, "3 runs in progress, nothing waits on you"),
        ({"before": Before(50, 400.0, None, None, None)}, "Runs take 1.0 s, 400 ms before"),
        ({"before": Before(10, 400.0, None, None, None)}, "3 runs in progress, nothing waits on you"),
        ({"holds": HoldFigures(1, 2.0)}, "3 runs in progress, 1 question waits for a person"),
        ({"holds": HoldFigures(4, 2.0)}, "3 runs in progress, 4 questions wait for people"),
        ({"runs_in_progress": 1}, "1 run in progress, nothing waits on you"),
        ({"runs_in_progress": 0}, "Nothing is running; 60 runs ended in the last day"),
        ({"runs_in_progress": 0, "runs_ended": EMPTY}, "Nothing ran in the last day"),
    ],
)
def test_the_finding_says_what_matters_most(changed: dict[str, Any], words: str) -> None:
    assert finding(replace(QUIET, **changed), "the last day").words == words


def test_what_stops_work_comes_before_what_fails() -> None:
    both = replace(QUIET, agents=Census(1, 0, 0, 0, 1, 1), failing_agents=[WORST])

    assert "quarantined" in finding(both, "the last day").words


def test_the_lede_tells_ends_slowest_step_and_worst_agent() -> None:
    slow = Bottleneck("Loan", "loan", "credit check", "people", 13_200_000.0, 60_000.0, 0.43, 1)
    told = finding(replace(QUIET, bottlenecks=[slow], failing_agents=[WORST]), "the last day")

    assert "".join(part.text for part in told.lede) == (
        "60 runs ended in the last day, 2 of them failed. In Loan, credit check takes 43% of the elapsed time. "
        "refund fails most often, 20% of 100 calls."
    )
    assert [part.text for part in told.lede if part.foreign] == ["Loan", "credit check", "refund"]


def test_the_answers_are_the_five_questions() -> None:
    slow = Bottleneck("Loan", "loan", "credit check", "people", 13_200_000.0, 60_000.0, 0.43, 1)
    now = replace(QUIET, bottlenecks=[slow], failing_agents=[WORST], runs_waiting=1)

    told = [(each.value, "".join(part.text for part in each.support)) for each in answers(now, "24h")]

    assert told == [
        ("2", "1 idle"),
        ("3", "1 waiting, 60 ended"),
        ("3 h 40 m", "p95 wait, credit check"),
        ("20%", "refund, shop"),
        ("1.0 s", "p90 3.0 s"),
    ]


@pytest.mark.parametrize(
    ("before", "delta", "better"),
    [
        (Before(50, 2_000.0, 10, 100, 0.1), "+10.0 pt", False),
        (Before(50, 2_000.0, 30, 100, 0.3), "\N{MINUS SIGN}10.0 pt", True),
        (Before(50, 2_000.0, 3, 10, 0.3), "", False),
    ],
)
def test_a_change_is_told_only_where_there_was_enough_to_compare(before: Before, delta: str, better: bool) -> None:
    worst = answers(replace(QUIET, failing_agents=[WORST], before=before), "24h")[3]

    assert (worst.delta, worst.better) == (delta, better)


def test_nothing_measured_is_a_dash_and_no_zero() -> None:
    told = answers(replace(QUIET, runs_ended=EMPTY), "24h")

    assert [each.value for each in told[2:]] == ["\N{EN DASH}"] * 3


def test_the_page_shows_figures_findings_and_workflows(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/").content.decode()

    assert "<bdi data-untrusted>billing</bdi></a> fails " in text
    assert 'href="/workflows/refund/?range=24h"' in text
    assert text.count('<li><a class="stat"') == 5


@pytest.mark.parametrize("target", ["answers", "flows"])
def test_a_region_is_what_the_page_shows_there(as_operator: Client, scene: Scene, target: str) -> None:
    page = as_operator.get("/?range=7d").content.decode()

    part = as_operator.get("/?range=7d", headers=region(target)).content.decode()

    assert part.strip().startswith(("<div", "<section"))
    assert f'id="{target}"' in part[:120]
    assert part.strip() in page


def test_a_new_workspace_is_told_how_to_send_the_first_span(as_operator: Client) -> None:
    text = as_operator.get("/").content.decode()

    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://testserver\n" in text
    assert "Waiting for the first span" in text
    assert "Make a key" not in text  # an operator cannot


def test_the_first_span_brings_the_whole_page(as_operator: Client, scene: Scene) -> None:
    answer = as_operator.get("/", headers=region("first-steps"))

    assert answer["HX-Refresh"] == "true"


def test_a_range_that_is_none_is_answered_with_a_sentence(as_operator: Client) -> None:
    answer = as_operator.get("/?range=9y")

    assert answer.status_code == 400
    assert b"from 1h to 30d" in answer.content


def test_the_page_asks_the_database_a_fixed_number_of_times(
    as_operator: Client, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(40):
        as_operator.get("/")
