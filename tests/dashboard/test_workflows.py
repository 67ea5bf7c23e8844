"""Where processes lose time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from dashboard.views.workflows import finding, flow_rows, step_rows
from orchestration.workflows.stats import Shares, StepFigure, WorkflowLine
from tests.dashboard.conftest import Scene, region

STEP = StepFigure(1, "check", "people", 40, 37, 3, 6_000.0, 2_000.0, 9_000.0, 4_000.0, 0.43)
FLOW = WorkflowLine(
    id=1,
    slug="loan",
    name="Loan",
    runs=40,
    in_progress=2,
    waiting=1,
    failed=3,
    escalated=5,
    p10_ms=400.0,
    p50_ms=1_000.0,
    p90_ms=3_000.0,
    p99_ms=9_000.0,
    shares=Shares(0.7, 0.1, 0.2),
    slowest=STEP,
    steps=[STEP],
)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"runs": 0, "slowest": None, "shares": None}, "Loan ended no run in the last day"),
        ({"shares": Shares(0.1, 0.06, 0.84)}, "84% of Loan is waiting"),
        ({}, "Loan takes 1.0 s, nine in ten end within 3.0 s"),
    ],
)
def test_the_finding_says_where_the_time_goes(changed: dict[str, Any], words: str) -> None:
    assert finding(replace(FLOW, **changed), "the last day").words == words


def test_the_lede_counts_ends_and_names_the_slowest_step() -> None:
    lede = "".join(part.text for part in finding(FLOW, "the last day").lede)

    assert lede == (
        "Of 40 finished runs, 3 failed and 5 asked a person. 2 in progress, 1 waiting. "
        "check takes 43% of the elapsed time."
    )


def test_shares_are_laid_end_to_end_and_said_in_words() -> None:
    (row,) = flow_rows([FLOW])

    assert [(piece.x, piece.width, piece.tone) for piece in row.bar] == [
        ("0.00", "70.00", "agent"),
        ("70.00", "10.00", "human"),
        ("80.00", "20.00", "wait"),
    ]
    assert row.bar_words == "70% agents working, 10% people working, 20% waiting"


def test_a_process_without_a_finished_run_has_no_bar() -> None:
    (row,) = flow_rows([replace(FLOW, shares=None, p50_ms=None)])

    assert (row.bar, row.whisker) == ([], None)


def test_durations_of_all_rows_share_one_scale() -> None:
    quick, slow = flow_rows([replace(FLOW, p50_ms=10.0, p90_ms=20.0, p99_ms=50.0), FLOW])

    assert quick.whisker is not None
    assert slow.whisker is not None
    assert float(quick.whisker.p99) < float(slow.whisker.p50)
    assert 0 <= float(quick.whisker.p50) < float(slow.whisker.p99) <= 100


def test_the_longest_step_fills_its_bar() -> None:
    short, long = step_rows([replace(STEP, wait_p50_ms=1_000.0, work_p50_ms=1_000.0), STEP])

    assert sum(float(piece.width) for piece in long.bar) == pytest.approx(100)
    assert sum(float(piece.width) for piece in short.bar) == pytest.approx(25)


def test_the_list_leads_to_each_workflow(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/workflows/?q=ref").content.decode()

    assert 'href="/workflows/refund/?range=7d"' in text
    assert "No workflow matches" in as_operator.get("/workflows/?q=zzz").content.decode()


def test_one_workflow_shows_its_steps_and_newest_runs(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/workflows/refund/").content.decode()

    assert "<bdi data-untrusted>charge</bdi>" in text
    assert f'id="run-{scene.run.id}"' in text


@pytest.mark.parametrize(("path", "target"), [("/workflows/", "flows"), ("/workflows/refund/", "funnel")])
def test_a_region_is_what_the_page_shows_there(as_operator: Client, scene: Scene, path: str, target: str) -> None:
    page = as_operator.get(path).content.decode()

    assert as_operator.get(path, headers=region(target)).content.decode().strip() in page


def test_an_unknown_workflow_is_not_found(as_operator: Client) -> None:
    assert as_operator.get("/workflows/nothing/").status_code == 404
