"""What was done in runs that are over is kept once, and read without their spans."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestration.telemetry.models import Span
from orchestration.telemetry.spans import Kind
from orchestration.workflows import kept_trails
from orchestration.workflows.conformance import of_workflow
from orchestration.workflows.kept_trails import MOST_ACTS, SoFar, so_far
from orchestration.workflows.learning import learn
from orchestration.workflows.models import Run, Workflow
from orchestration.workflows.trail_models import TrailRow
from orchestration.workflows.trails import ACTS, MOST_SPANS, TURNS
from orchestration.workspaces.models import Workspace
from tests import make
from tests.make import Made

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def flow(workspace: Workspace) -> Workflow:
    return make.workflow(workspace, "Refund")


def ran(flow: Workflow, *tools: str, n: int = 0, **fields: Any) -> Run:
    space, clerk = flow.workspace, make.agent(flow.workspace, "clerk")
    began, trace = timezone.now() - timedelta(minutes=5 + n), (n + 1).to_bytes(16, "big")
    root = Made("invoke_agent clerk", Kind.AGENT, clerk, ms=900, values={"attrs": {"a": {"gen_ai.agent.version": "7"}}})
    acts = [Made(name, Kind.TOOL, clerk, parent=root, at_ms=10 + m, ms=1) for m, name in enumerate(tools)]
    make.spans(space, trace, began, root, *acts)
    return make.run(space, flow, started_at=began, traces=[trace], **({"spans": len(acts) + 1} | fields))


def kept(flow: Workflow, level: str = ACTS) -> list[list[str]]:
    found = kept_trails.completed(flow.workspace_id, flow.pk, 100, level)
    return [[act.name for act in told.acts] for each in found if (told := each.trail(level))]


def test_a_run_that_ended_is_looked_at_once_at_both_levels(flow: Workflow) -> None:
    ran(flow, "look", "pay")

    assert (kept_trails.sweep(), kept_trails.sweep()) == (1, 0)

    assert (kept(flow), kept(flow, TURNS)) == ([["look", "pay"]], [["clerk"]])
    (row,) = TrailRow.objects.all()
    assert row.agents == [["clerk", "7"]]


def test_what_is_kept_outlives_the_spans(flow: Workflow) -> None:
    for n in range(30):
        ran(flow, "look", n=n)
    kept_trails.sweep()
    Span.objects.all().delete()

    found = learn(flow.workspace_id, flow.pk)

    assert ([step.name for step in found.steps], found.runs) == (["look"], 30)
    assert of_workflow(flow, timezone.now() - DAY, timezone.now()).compared == 30


def test_a_run_that_goes_on_is_not_looked_at_and_one_settled_again_anew(flow: Workflow) -> None:
    going = ran(flow, "look", status="running")
    assert (kept_trails.sweep(), kept(flow)) == (0, [])

    Run.objects.filter(id=going.id).update(status="failed", revision=2)
    assert kept_trails.sweep() == 1
    Run.objects.filter(id=going.id).update(status="completed", revision=3)
    assert (so_far(flow), kept_trails.sweep()) == (SoFar(1, 2), 1)

    assert (so_far(flow), kept(flow)) == (SoFar(1, 1), [["look"]])


def test_a_run_that_is_too_long_is_passed_over_once_and_counted(flow: Workflow) -> None:
    ran(flow, "look", spans=MOST_SPANS + 1)
    ran(flow, *[f"do{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(MOST_ACTS + 50)], n=1)

    assert (kept_trails.sweep(), kept_trails.sweep()) == (2, 0)

    found = learn(flow.workspace_id, flow.pk)
    assert (found.runs, found.passed_over) == (0, 2)
    assert kept(flow, TURNS) == [["clerk"]]


def test_a_step_that_is_done_over_and_over_is_kept_twice_and_counts_as_repeated(flow: Workflow) -> None:
    for n in range(30):
        ran(flow, *["look"] * 40, "pay", n=n)
    kept_trails.sweep()

    assert kept(flow)[0] == ["look", "look", "pay"]
    assert [(step.name, step.repeated) for step in learn(flow.workspace_id, flow.pk).steps] == [
        ("look", 30),
        ("pay", 0),
    ]


def test_runs_that_became_part_of_another_are_not_read(flow: Workflow) -> None:
    gone = ran(flow, "look")
    kept_trails.sweep()
    Run.objects.filter(id=gone.id).update(merged_into=gone.id)

    assert kept(flow) == []


def test_a_sweep_goes_on_with_the_workflow_after_the_one_it_stopped_at(
    flow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(flow, "look")
    ran(make.workflow(flow.workspace, "Invoice"), "book", n=1)
    monkeypatch.setattr(kept_trails, "SECONDS", -1.0)  # the time is over after the first

    assert [kept_trails.sweep() for _ in range(2)] == [0, 0]  # looked for, but no time to look
    monkeypatch.setattr(kept_trails, "SECONDS", 5.0)
    assert kept_trails.sweep() == 2


def test_reading_costs_one_query_however_many_spans(flow: Workflow) -> None:
    for n in range(4):
        ran(flow, *(["look"] * 5 * n), n=n)
    kept_trails.sweep()

    with CaptureQueriesContext(connection) as asked:
        learn(flow.workspace_id, flow.pk)

    assert len(asked) == 1
    assert "telemetry_span" not in asked.captured_queries[0]["sql"]
