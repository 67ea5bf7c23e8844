"""Whether agents are to coordinate, and what is counted before and since."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from orchestration.control import coordinating, run_context
from orchestration.control.mess_figures import Side, figures
from orchestration.handoffs.mess import Counts
from orchestration.handoffs.mess_models import Coordination, Mess
from orchestration.ledger.models import Entry
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.models import Run, Workflow
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.make import Made

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow(workspace: Workspace) -> Workflow:
    return make.workflow(workspace, "Refund")


def messy(flow: Workflow, at: datetime, place: int = 1) -> Run:
    """Two agents look up the same, ask the customer, and mean different amounts; a call times out."""
    service, billing = make.agent(flow.workspace, "service"), make.agent(flow.workspace, "billing")
    crm, desk, trace = make.system(flow.workspace, "crm"), make.system(flow.workspace, "desk"), bytes([place]) * 16
    spans = []
    for who, ms, amount in ((service, 0, 40), (billing, 400, 30)):
        turn = Made(f"invoke_agent {who.name}", Kind.AGENT, who, at_ms=ms, ms=390)
        spans.append(turn)
        for gap, tool in enumerate(("get_customer", "ask_customer", "promise_refund")):
            given = f'{{"customer_id": "C-1", "amount": {amount}}}' if gap == 2 else '{"customer_id": "C-1"}'
            values = {"subject": tool, "hints": {"call": given}, "attrs": {"a": {"gen_ai.tool.call.arguments": given}}}
            on = desk if gap else crm  # a change there would be a reason to look again
            spans.append(Made(f"execute_tool {tool}", Kind.TOOL, who, on, turn, ms + 100 * gap, 80, values=values))
    wrong = {"subject": "get_bookings", "error": "CoreTimeout: did not answer in 10 s"}
    late = Made("execute_tool get_bookings", Kind.TOOL, billing, crm, spans[4], 710, 75, Outcome.ERROR, wrong)
    make.spans(flow.workspace, trace, at, *spans, late)
    return make.run(flow.workspace, flow, started_at=at, traces=[trace])


def counted(flow: Workflow, since: datetime, n: int, hit: int = 0) -> None:
    """Rows as the sweep leaves them."""
    Mess.objects.bulk_create(
        Mess(
            workspace_id=flow.workspace_id,
            run_id=make.run(flow.workspace, flow, started_at=since + timedelta(seconds=place), traces=[]).id,
            workflow_id=flow.pk,
            at=since + timedelta(seconds=place),
            revision=1,
            looked=int(place < hit),
            lost_ms=500 * (place < hit),
            asked=0,
            timed_out=0,
            differed=0,
        )
        for place in range(n)
    )


def test_switching_on_and_off_leaves_receipts_and_twice_is_once(flow: Workflow, admin: User) -> None:
    assert coordinating.switch(flow, on=True, reason="The same look-up twice", by=admin)
    assert not coordinating.switch(flow, on=True, reason="again", by=admin)
    assert coordinating.switch(flow, on=False, reason="Too slow", by=admin)
    assert not coordinating.switch(flow, on=False, reason="again", by=admin)

    kinds = list(Entry.objects.filter(subject_kind="workflow").order_by("at").values_list("kind", flat=True))
    assert kinds == ["workflow.coordination_on", "workflow.coordination_off"]


def test_what_is_on_anew_is_not_compared_with_when_it_was_on_before(flow: Workflow, admin: User) -> None:
    coordinating.switch(flow, on=True, reason="", by=admin)
    coordinating.switch(flow, on=False, reason="", by=admin)
    ended = Coordination.objects.get().until

    coordinating.switch(flow, on=True, reason="", by=admin)

    row = Coordination.objects.get()
    assert (row.counted_from, row.until) == (ended, None)


def test_agents_of_a_run_that_begins_after_it_was_switched_on_are_told(flow: Workflow, admin: User) -> None:
    before = make.run(flow.workspace, flow)
    coordinating.switch(flow, on=True, reason="", by=admin)
    after = make.run(flow.workspace, flow, started_at=timezone.now())
    other = make.run(flow.workspace, make.workflow(flow.workspace, "Other"), started_at=timezone.now())

    def told(run: str, workflow: str = "") -> bool:
        found = run_context.context(flow.workspace_id, run, workflow=workflow)
        assert found
        return found.coordination

    assert [told(str(run.id)) for run in (before, after, other)] == [False, True, False]
    assert told("begins-now", "Refund")
    assert not told("begins-now", "Other")
    assert run_context.context(flow.workspace_id, "nobody knows it") is None
    coordinating.switch(flow, on=False, reason="", by=admin)
    assert not told(str(after.id))


def test_a_run_that_is_over_is_counted_once_and_again_when_it_changed(flow: Workflow, admin: User) -> None:
    coordinating.switch(flow, on=True, reason="", by=admin)
    run = messy(flow, timezone.now() - timedelta(minutes=3))
    make.run(flow.workspace, flow, status="running")

    assert (coordinating.sweep(), coordinating.sweep()) == (1, 0)

    (row,) = Mess.objects.all()
    assert (row.run_id, row.at) == (run.id, run.started_at)
    assert Counts(row.looked, row.lost_ms, row.asked, row.timed_out, row.differed) == Counts(1, 80, 1, 1, 1)
    Run.objects.filter(id=run.id).update(revision=2)
    assert (coordinating.sweep(), coordinating.sweep()) == (1, 0)
    Run.objects.filter(id=run.id).update(merged_into=run.id)
    coordinating.sweep()
    assert not Mess.objects.exists()


def test_nothing_is_counted_where_nobody_switched_it_on_or_too_long_ago(flow: Workflow, admin: User) -> None:
    messy(flow, timezone.now() - timedelta(minutes=3))
    assert coordinating.sweep() == 0

    coordinating.switch(flow, on=True, reason="", by=admin)
    Coordination.objects.update(counted_from=timezone.now())
    assert coordinating.sweep() == 0


def test_a_sweep_counts_so_many_and_the_next_one_the_rest(
    flow: Workflow, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinating.switch(flow, on=True, reason="", by=admin)
    for place in range(1, 4):
        messy(flow, timezone.now() - timedelta(minutes=place + 1), place)
    monkeypatch.setattr(coordinating, "RUNS", 2)

    assert [coordinating.sweep() for _ in range(3)] == [2, 1, 0]
    assert figures(flow).left == 0


def test_figures_compare_before_and_after(flow: Workflow, admin: User) -> None:
    coordinating.switch(flow, on=True, reason="Mess", by=admin)
    since = Coordination.objects.get().since
    counted(flow, since - timedelta(hours=1), 60, hit=34)
    counted(flow, since, 60)

    found = figures(flow)

    looked, asked, *_ = found.kinds
    assert (found.state, found.runs, found.lost_ms) == ("known", (60, 60), (17_000, 0))
    assert (looked.before.count, looked.before.hit, looked.after.count) == (34, 34, 0)
    assert looked.before.per_100 == pytest.approx(56.67, abs=0.01)
    assert looked.before.examples
    assert looked.difference is not None
    change, low, high = looked.difference
    assert low < change < high < 0
    assert asked.difference is not None
    assert list(asked.difference) == pytest.approx([0, -6.02, 6.02], abs=0.1)


def test_few_runs_have_counts_and_no_rates(flow: Workflow, admin: User) -> None:
    assert figures(flow).state == "off"
    coordinating.switch(flow, on=True, reason="", by=admin)
    since = Coordination.objects.get().since
    counted(flow, since - timedelta(hours=1), 60, hit=3)
    counted(flow, since, 29, hit=1)

    found = figures(flow)

    assert found.state == "few"
    assert (found.kinds[0].after.count, found.kinds[0].after.per_100, found.kinds[0].difference) == (1, None, None)
    assert Side(1, 1, 30).interval is not None


def test_what_came_after_it_was_switched_off_is_not_counted(flow: Workflow, admin: User) -> None:
    coordinating.switch(flow, on=True, reason="", by=admin)
    coordinating.switch(flow, on=False, reason="", by=admin)
    until = Coordination.objects.get().until
    assert until
    counted(flow, until + timedelta(seconds=1), 5, hit=5)

    assert figures(flow).runs == (0, 0)
