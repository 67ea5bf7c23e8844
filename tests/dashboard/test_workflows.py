"""Where processes lose time."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory

from dashboard.charts.durations import bands, histogram
from dashboard.period import period_of
from dashboard.views import workflows
from dashboard.views.workflow import finding, shared_words, step_rows
from dashboard.views.workflows import flow_rows
from orchestration.lib.stats import bucket
from orchestration.workflows.anatomy import Shared
from orchestration.workflows.models import Measure
from orchestration.workflows.paces import Booked, Pace
from orchestration.workflows.stats import Shares, Split, StepFigure, WorkflowLine
from orchestration.workspaces.models import Workspace
from tests import make
from tests.dashboard.conftest import Scene, region

FLOW_REGIONS = [
    ("/workflows/refund/", region) for region in ("whole", "bottlenecks", "durations", "funnel", "outliers")
]
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


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "No workflow surely fails or asks often"),
        ({"failed": 2, "runs": 4}, "No workflow surely fails or asks often"),  # of four runs nothing is sure
        ({"shares": Shares(0.1, 0.06, 0.84), "escalated": 1}, "Loan is waiting for 84% of its time"),
        ({"shares": Shares(0.1, 0.06, 0.84), "escalated": 30}, "Loan asks a person in 75% of its runs"),
        ({"escalated": 30, "failed": 10}, "Loan fails in 25% of its runs"),
    ],
)
def test_the_list_opens_with_what_most_needs_somebody(changed: dict[str, Any], words: str) -> None:
    period = period_of(RequestFactory().get("/workflows/"))

    said = workflows.finding(flow_rows([replace(FLOW, **changed), replace(FLOW, id=2, name="Calm")]), [], period)

    assert said.words == words


def test_the_list_counts_runs_that_have_named_no_workflow_yet(as_operator: Client, workspace: Workspace) -> None:
    make.run(workspace, status="running")
    make.run(workspace, status="waiting", workflow_id=0)

    whole, narrowed = (as_operator.get(f"/workflows/{query}").content.decode() for query in ("", "?q=refund"))

    assert "2 in progress, 1 of no workflow so far." in whole
    assert "1 in progress." in narrowed


@pytest.mark.parametrize(
    ("still", "q", "words"),
    [
        ([FLOW], "", "No workflow ran in the last 24 hours"),
        ([FLOW], "lo", "No workflow of these ran in the last 24 hours"),
        ([], "x", "No workflow has a name like that"),
        ([], "", "No workflow has run yet"),
    ],
)
def test_a_list_without_runs_says_why(still: list[WorkflowLine], q: str, words: str) -> None:
    assert workflows.finding([], still, period_of(RequestFactory().get("/workflows/")), q).words == words


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


def pace(*durations_ms: float) -> Pace:
    counts = [0] * 96
    for ms in durations_ms:
        counts[bucket(round(ms * 1000))] += 1
    return Pace(len(durations_ms), 0, round(sum(durations_ms)), tuple(counts))


def test_steps_lie_end_to_end_waiting_before_work() -> None:
    steps = [replace(STEP, id=1, share_of_elapsed=0.2), replace(STEP, id=2, owner="desk", share_of_elapsed=0.6)]
    measures: dict[int, Pace] = {Measure.WAIT: pace(*[4000.0] * 10), Measure.WORK: pace(*[4000.0] * 10)}
    booked = Booked({Measure.DURATION: pace(*[16000.0] * 10)}, {1: dict(measures), 2: dict(measures)})

    first, second = step_rows(steps, booked, {"people": "people", "desk": "agent"}, {})

    assert [piece.tone for piece in (*first.lane, *second.lane)] == ["wait", "human", "wait", "agent"]
    assert [float(piece.x) for piece in (*first.lane, *second.lane)] == [0, 25, 50, 75]
    assert [first.worst, second.worst] == [False, True]
    assert first.at_p50 == pytest.approx(0.5, abs=0.1)


def test_a_step_that_most_runs_go_without_adds_nothing_to_the_median_and_much_to_the_slow() -> None:
    booked = Booked(
        {Measure.DURATION: pace(*[1000.0] * 90, *[60_000.0] * 10)}, {1: {Measure.WORK: pace(*[59_000.0] * 10)}}
    )

    (row,) = step_rows([replace(STEP, id=1)], booked, {}, {})

    assert row.at_p50 == 0
    assert row.at_p95 is not None
    assert row.at_p95 > 0.8


def test_what_a_steps_time_was_spent_on_is_said_in_words() -> None:
    step = replace(STEP, split=Split(wait=0.3, work=0.1, people=0.0, retry=0.1))

    (row,) = step_rows([step], Booked(), {}, {})

    assert row.split_words == "60% waiting, 20% work, 20% retries"
    assert [piece.tone for piece in row.split] == ["wait", "agent", "fail"]


@pytest.mark.parametrize(
    ("each", "words"),
    [
        (Shared("asked", "", 8, 10, 0.2), "8 of 10 asked a person; 20% of all do."),
        (Shared("agent", "bot", 10, 10, 0.05), "10 of 10 had bot at work; 5% of all do."),
    ],
)
def test_what_slow_runs_share_is_said_with_how_usual_it_is(each: Shared, words: str) -> None:
    assert shared_words(each) == words


def test_durations_over_time_leave_a_gap_where_too_few_runs_ended() -> None:
    until = datetime(2026, 11, 22, tzinfo=UTC)
    parts = [pace(*[1000.0] * 9), pace(500.0), pace(*[2000.0] * 9)]

    chart = bands(parts, until - timedelta(days=3), until)

    assert chart is not None
    middle = next(trace for trace in chart.figure["data"] if trace["name"] == "p50")
    assert [value is None for value in middle["y"]] == [False, True, False]
    assert [row[1] for row in chart.rows] == ["9", "1", "9"]
    assert "color" not in str(chart.figure)
    assert bands(parts[1:2], until - timedelta(days=1), until) is None


def test_the_histogram_is_told_in_the_table_too() -> None:
    chart = histogram(pace(100.0, 1000.0, 1000.0))

    assert chart is not None
    assert sum(chart.figure["data"][0]["y"]) == 3
    assert [row[1] for row in chart.rows] == ["1", "2"]
    assert chart.figure["layout"]["xaxis"]["ticktext"] == ["100 ms", "200 ms", "500 ms", "1.0 s"]
    assert histogram(Pace()) is None


def test_the_list_leads_to_each_workflow(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/workflows/?q=ref").content.decode()

    assert 'href="/workflows/refund/?range=7d"' in text
    assert "No workflow matches" in as_operator.get("/workflows/?q=zzz").content.decode()


def test_one_workflow_shows_its_steps_and_newest_runs(as_operator: Client, scene: Scene) -> None:
    text = as_operator.get("/workflows/refund/").content.decode()

    assert "<bdi data-untrusted>charge</bdi>" in text
    assert f'id="run-{scene.run.id}"' in text


def test_a_region_is_what_the_page_shows_there(as_operator: Client, scene: Scene) -> None:
    regions = [("/workflows/", "flows"), *FLOW_REGIONS]

    pages = {path: as_operator.get(path).content.decode() for path, _ in regions}
    parts = {at: as_operator.get(at[0], headers=region(at[1])).content.decode().strip() for at in regions}

    assert [at for at, part in parts.items() if not part or part not in pages[at[0]]] == []


def test_an_unknown_workflow_is_not_found(as_operator: Client) -> None:
    assert as_operator.get("/workflows/nothing/").status_code == 404


def test_charts_come_with_their_numbers_and_without_a_style_of_their_own(as_operator: Client, scene: Scene) -> None:
    answer = as_operator.get("/workflows/refund/")
    text = answer.content.decode()
    figure = text.split('data-chart="spread"')[1].split("</figure>")[0]

    assert "<table" in figure
    assert 'type="application/json"' in figure
    assert re.search(r'<style id="plotly.js-style-global" nonce="[^"]+"></style>', text)
    assert "style=" not in figure
    assert as_operator.get(re.search(r'src="([^"]+plotly.min.js)"', text)[1]).status_code == 200  # type: ignore[index]


def test_a_page_without_charts_brings_no_plotly(as_operator: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Unused")

    text = as_operator.get("/workflows/unused/").content.decode()

    assert "plotly" not in text
    assert "Too few runs to draw" in text
    assert "No finished run in the last 7 days" in text


def test_slow_runs_are_listed_with_what_they_share(as_operator: Client, scene: Scene) -> None:
    for n in range(40):
        make.run(scene.workspace, scene.flow, duration_ms=100_000 + n if n < 10 else 50 + n, escalations=int(n < 10))

    outliers = as_operator.get("/workflows/refund/", headers=region("outliers")).content.decode()

    assert outliers.count('id="run-') == 10
    assert "10 of 10 asked a person; 24.4% of all do." in outliers


def test_a_workflow_of_many_steps_asks_no_more_questions(
    as_operator: Client, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    for n in range(30):
        make.stepped(scene.flow, f"step {n}", "desk", n=40, work_ms=20)

    with django_assert_max_num_queries(49):
        as_operator.get("/workflows/refund/")


def test_workflows_without_a_run_are_named_apart_and_the_busiest_stand_first(
    as_operator: Client, workspace: Workspace
) -> None:
    for name, ended in (("Atlas", 0), ("Bills", 2), ("Claims", 5)):
        flow = make.workflow(workspace, name)
        make.ended(flow, *[900.0] * ended)

    text = as_operator.get("/workflows/").content.decode()

    assert re.findall(r'<tr id="flow-([^"]+)"', text) == ["claims", "bills"]
    assert "2 workflows with runs" in text
    assert re.search(
        r"No run in the last 7 days: <a [^>]+/workflows/atlas/[^>]+><bdi data-untrusted>Atlas</bdi></a>\.", text
    )


def test_a_list_of_workflows_at_rest_says_so(as_operator: Client, workspace: Workspace) -> None:
    make.workflow(workspace, "Atlas")

    text = as_operator.get("/workflows/").content.decode()

    assert "No run ended in the last 7 days, and none is in progress." in text
    assert "/workflows/atlas/" in text
