"""A run that ended and is tried again goes on, for pages and figures too; when it ends anew, the past is told once."""

from __future__ import annotations

from itertools import permutations

import pytest

from orchestration.autonomy import ordering, work
from orchestration.autonomy.models import Kind
from orchestration.control import driving
from orchestration.holds.models import Hold
from orchestration.telemetry.models import SpanMinute
from orchestration.telemetry.spans import RUN
from orchestration.workflows import account, anew
from orchestration.workflows.declared_models import DeclaredRun
from orchestration.workflows.models import Measure, Run, Workflow, WorkflowMinute
from orchestration.workflows.starting import Start
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
from tests.autonomy.ordered import at_run, done, wish
from tests.control import flows
from tests.control.test_settling import at, events, take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


def again(run: DeclaredRun, name: str) -> None:
    driving.try_again(run.workspace_id, run.id, lambda m: anew.step(m, name, flows.BY, "The bank is back"))


def figures(workspace: Workspace) -> tuple[tuple[int, int], int]:
    """Runs that ended and failed, and agents' runs that did."""
    rows = WorkflowMinute.objects.filter(workspace_id=workspace.pk, measure=Measure.DURATION)
    agents = SpanMinute.objects.filter(workspace_id=workspace.pk, kind=int(RUN))
    return (sum(row.n for row in rows), sum(row.failed for row in rows)), sum(row.n for row in agents)


def told(workspace: Workspace, run: DeclaredRun) -> str:
    """The state in lists, which the run's own page must agree with."""
    take(workspace)
    listed = Run.objects.get(workspace_id=workspace.pk, id=run.id)
    alone = account.run(workspace.pk, str(run.id))
    assert alone
    assert (alone.run.status, alone.run.ended_at is None) == (listed.status, listed.status == "running")
    return str(listed.status)


@pytest.fixture
def failed(workspace: Workspace) -> DeclaredRun:
    flows.declare(workspace, flows.step("a"), flows.step("b", "a"))
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace))
    flows.lose(workspace, flows.one(workspace))
    assert told(workspace, run) == "failed"
    return run


def test_a_run_tried_again_is_running_and_counts_as_ended_once(workspace: Workspace, failed: DeclaredRun) -> None:
    assert figures(workspace) == ((1, 1), 1)

    again(failed, "b")

    assert (told(workspace, failed), figures(workspace)) == ("running", ((0, 0), 0))
    lease = flows.one(workspace)
    assert told(workspace, failed) == "running"
    flows.lose(workspace, lease)
    assert (told(workspace, failed), figures(workspace)) == ("failed", ((1, 1), 1))
    again(failed, "b")
    assert told(workspace, failed) == "running"
    flows.work(workspace)
    assert (told(workspace, failed), figures(workspace)) == ("completed", ((1, 0), 1))
    assert not Run.objects.get(id=failed.id).late


def test_what_to_do_with_a_failed_run_is_asked_once_for_each_failure(workspace: Workspace, failed: DeclaredRun) -> None:
    Workflow.objects.update(asks_when_failed=True)
    again(failed, "b")
    flows.lose(workspace, flows.one(workspace))
    take(workspace)
    assert Hold.objects.get().state == "open"

    again(failed, "b")
    take(workspace)
    assert Hold.objects.get().state == "cancelled"
    flows.lose(workspace, flows.one(workspace))
    for _ in range(2):
        take(workspace)

    assert list(Hold.objects.order_by("opened_at").values_list("state", flat=True)) == ["cancelled", "open"]


def test_a_cancelled_run_is_cancelled_on_its_page_as_in_lists_and_keeps_its_title(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    run = driving.start(workspace.pk, "Refund", Start(flows.BY, {}, title="Refund of order 4711"))[0]
    take(workspace)
    action = done(workspace, Kind.CANCEL, at_run(Run.objects.get(id=run.id)))

    assert (told(workspace, run), Run.objects.get(id=run.id).title) == ("cancelled", "Refund of order 4711")
    assert not ordering.undoable(action)


def test_what_another_agent_did_in_the_end_is_done(workspace: Workspace, failed: DeclaredRun) -> None:
    again(failed, "b")
    flows.work(workspace, "somebody else")

    assert (told(workspace, failed), figures(workspace)[0]) == ("completed", (1, 0))


def test_that_it_goes_on_is_told_with_the_failure_or_after_it(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    run = flows.begin(workspace)
    flows.lose(workspace, flows.one(workspace))
    again(run, "a")

    assert (told(workspace, run), figures(workspace)) == ("running", ((0, 0), 0))


def test_events_of_a_run_that_was_reopened_tell_the_same_in_any_order(workspace: Workspace) -> None:
    said = [
        {"type": "run.started", "workflow": "Loans", "at": at(-9)},
        {"type": "run.failed", "error": "Closed", "at": at(-8)},
        {"type": "run.reopened", "at": at(-7)},
    ]

    for place, order in enumerate(permutations(said)):
        for one in order:
            events(workspace, {**one, "run": f"loan-{place}"})
    events(workspace, {"type": "run.finished", "run": "loan-0", "at": at(-6)})

    found = dict(Run.objects.values_list("external_key", "status"))
    assert found == {"loan-0": "completed", **{f"loan-{place}": "running" for place in range(1, 6)}}


def test_nobody_but_the_engine_says_that_failures_do_not_count(workspace: Workspace) -> None:
    key, _ = create_key(workspace, "sender", ["ingest"])
    marked = {"run": "loan-1", "attributes": {"baton.engine": True}}
    events(
        workspace,
        {"type": "run.started", "workflow": "Loans", "at": at(-9), **marked},
        {"type": "step.failed", "step": "read", "agent": "robot", "kind": "agent", "at": at(-8), "run": "loan-1"},
        {"type": "run.finished", "at": at(-7), **marked},
        key=key,
    )

    assert Run.objects.get().status == "failed"


def test_a_cancelled_run_is_neither_a_failure_nor_a_success(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), flows.step("b", "a"))
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace))

    driving.cancel(workspace.pk, run.id, flows.BY, "A mistake")

    assert (told(workspace, run), figures(workspace)) == ("cancelled", ((0, 0), 0))


@pytest.mark.parametrize("end", ["run.failed", "run.finished"])
def test_a_run_of_strangers_that_was_cancelled_counts_as_no_end_until_it_is_reopened(
    workspace: Workspace, end: str
) -> None:
    Workflow.objects.create(workspace=workspace, name="Loans", slug="loans", asks_when_failed=True)
    events(workspace, {"type": "run.started", "run": "loan-1", "workflow": "Loans", "agent": "robot", "at": at(-9)})
    action = done(workspace, Kind.CANCEL, at_run(Run.objects.get()))

    events(workspace, {"type": end, "run": "loan-1", "at": at(-8)})

    assert (Run.objects.get().status, figures(workspace)) == ("cancelled", ((0, 0), 0))
    assert not Hold.objects.exists()

    work.carry_out_one(ordering.undo(action, wish(Kind.REOPEN)))
    take(workspace)

    failed = int(end == "run.failed")
    assert (Run.objects.get().status, figures(workspace)) == ("failed" if failed else "completed", ((1, failed), 1))
