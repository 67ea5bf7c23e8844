"""Triggers start runs: each occurrence one, whatever dies in between; what was missed is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orchestration.autonomy.models import Episode
from orchestration.control import digest, firing
from orchestration.ledger.models import Entry
from orchestration.workflows import arming, declared, fired, triggers
from orchestration.workflows.declared_models import DeclaredRun, WorkflowDefinition
from orchestration.workflows.definition import parse
from orchestration.workflows.models import Trace
from orchestration.workflows.story import Story
from orchestration.workflows.trigger_models import Firing, WorkflowTrigger
from orchestration.workspaces.models import Workspace
from tests import make
from tests.control import flows
from tests.telemetry.told import Told

pytestmark = pytest.mark.django_db
HOURLY = {"on": "schedule", "cron": "0 * * * *"}


def armed(space: Workspace, name: str = "Refund", **trigger: Any) -> WorkflowTrigger:
    flows.declare(space, flows.step("a"), name=name, triggers=[trigger])
    return WorkflowTrigger.objects.get(definition__name=name, live=True)


def due(row: WorkflowTrigger, ago: timedelta) -> None:
    """As if Baton had last looked before then."""
    WorkflowTrigger.objects.filter(pk=row.pk).update(next_at=timezone.now() - ago)


def states() -> list[tuple[str, int]]:
    return list(Firing.objects.order_by("due_at").values_list("state", "count"))


def test_a_time_that_has_come_starts_one_run_which_is_told_why(workspace: Workspace) -> None:
    row = armed(workspace, **HOURLY, input={"limit": 5})
    due(row, timedelta(seconds=2))

    assert (firing.sweep(), firing.sweep()) == (1, 0)

    run = DeclaredRun.objects.get()
    assert (run.input["limit"], run.input["trigger"]["on"], run.by) == (5, "schedule", f"trigger:{row.pk}")
    row.refresh_from_db()
    assert row.next_at is not None
    assert timezone.now() < row.next_at <= timezone.now() + timedelta(hours=1)
    assert Entry.objects.filter(kind="workflow.triggered", subject_id=str(row.pk)).count() == 1


def test_a_time_found_twice_starts_nothing_more(workspace: Workspace) -> None:
    row, at = armed(workspace, **HOURLY), timezone.now() - timedelta(seconds=2)
    for _ in range(2):
        WorkflowTrigger.objects.filter(pk=row.pk).update(next_at=at)
        firing.sweep()

    assert DeclaredRun.objects.count() == 1


def test_a_start_that_is_cut_short_is_done_by_the_next_sweep_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(armed(workspace, **HOURLY), timedelta(seconds=2))

    class Cut(BaseException):
        """The process dies."""

    def die(*args: Any) -> None:
        raise Cut

    monkeypatch.setattr(arming, "note", die)  # after the run was begun, before the commit
    with pytest.raises(Cut), transaction.atomic():
        firing.sweep()
    monkeypatch.undo()
    due(WorkflowTrigger.objects.get(), timedelta(seconds=2))
    firing.sweep()
    firing.sweep()

    assert (DeclaredRun.objects.count(), states()) == (1, [("started", 1)])


def test_times_that_passed_while_baton_was_away_are_told_and_not_made_up_for(workspace: Workspace) -> None:
    last = (timezone.now() - timedelta(minutes=6)).replace(second=0, microsecond=0)
    row = armed(workspace, on="schedule", cron=f"{last.minute} * * * *")
    WorkflowTrigger.objects.filter(pk=row.pk).update(next_at=last - timedelta(hours=3))

    assert firing.sweep() == 0

    assert states() == [("missed", 4)]
    assert Entry.objects.filter(kind="workflow.trigger_missed").count() == 1
    (standing,) = fired.triggers_of(WorkflowDefinition.objects.get())
    assert standing.missed == 4


def test_of_too_many_missed_times_the_newest_are_counted_and_the_one_that_is_due_starts(workspace: Workspace) -> None:
    due(armed(workspace, on="schedule", cron="* * * * *"), timedelta(minutes=triggers.MOST_DUE + 90))

    assert firing.sweep() == 1

    assert states() == [("missed", triggers.MOST_DUE - 1), ("started", 1)]
    assert timezone.now() - Firing.objects.get(state="started").due_at < timedelta(minutes=2)


def test_the_last_missed_time_is_started_late_where_the_trigger_says_so(workspace: Workspace) -> None:
    due(armed(workspace, **HOURLY, missed="start"), timedelta(hours=3))

    assert firing.sweep() == 1

    assert [state for state, _ in states()] == ["missed", "started"]
    assert DeclaredRun.objects.count() == 1


def test_the_clock_goes_by_its_own_time_zone(workspace: Workspace) -> None:
    row = armed(workspace, on="schedule", cron="0 6 * * *", zone="Asia/Kolkata")

    assert row.next_at is not None
    assert (row.next_at.hour, row.next_at.minute) == (0, 30)


def test_what_is_paused_starts_nothing_and_goes_on_from_now(workspace: Workspace) -> None:
    row = armed(workspace, **HOURLY)
    due(row, timedelta(seconds=2))
    for _ in range(2):
        arming.pause(workspace.pk, row.pk, flows.BY, "Too many")

    assert (firing.sweep(), DeclaredRun.objects.count()) == (0, 0)
    for _ in range(2):
        arming.resume(workspace.pk, row.pk, flows.BY)

    row.refresh_from_db()
    assert row.next_at is not None
    assert row.next_at > timezone.now()
    kinds = list(Entry.objects.filter(subject_kind="workflow_trigger").order_by("id").values_list("kind", flat=True))
    assert kinds == ["workflow.trigger_paused", "workflow.trigger_resumed"]


def test_a_trigger_goes_on_from_version_to_version_and_goes_with_the_last(workspace: Workspace) -> None:
    row = armed(workspace, **HOURLY)
    arming.pause(workspace.pk, row.pk, flows.BY, "Too many")
    flows.declare(workspace, flows.step("b"), triggers=[HOURLY, {"on": "run", "workflow": "Invoice"}])

    assert WorkflowTrigger.objects.get(live=True, on="schedule").paused_at
    version = declared.live(workspace.pk, "Refund")
    assert version
    declared.retire(version.pk, flows.BY, "Enough")
    assert not WorkflowTrigger.objects.filter(live=True).exists()


def finish(space: Workspace, name: str, *, well: bool = True) -> DeclaredRun:
    """A run of that workflow, from start to end, as the pages have it."""
    run = flows.begin(space, name)
    flows.finish(space, flows.one(space)) if well else flows.lose(space, flows.one(space))
    settle()
    return run


def settle() -> None:
    digest.drain()
    Trace.objects.filter(due_at__isnull=False).update(due_at=timezone.now())
    digest.settle()
    firing.sweep()


@pytest.mark.usefixtures("days")
def test_the_end_of_a_run_starts_another_once(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), name="Invoice")
    armed(workspace, on="run", workflow="Invoice", ends="failed")

    finish(workspace, "Invoice")
    assert not DeclaredRun.objects.filter(workflow="Refund").exists()
    failed = finish(workspace, "Invoice", well=False)
    settle()

    run = DeclaredRun.objects.get(workflow="Refund")
    assert (run.input["trigger"]["run"], run.input["trigger"]["status"]) == (str(failed.id), "failed")


@dataclass
class Ended:
    """A run as it was told in a round of settling."""

    story: Story
    run_id: UUID | None


def ended(run: DeclaredRun, at: datetime | None = None) -> Ended:
    at_ns = int((at or timezone.now()).timestamp() * 1e9)
    return Ended(replace(Told().story(), workflow=run.workflow, status="completed", ended_ns=at_ns), run.id)


def test_workflows_that_start_each_other_in_a_circle_come_to_an_end(workspace: Workspace) -> None:
    armed(workspace, "A", on="run", workflow="B", ends="either")
    armed(workspace, "B", on="run", workflow="A", ends="either")
    flows.begin(workspace, "A")

    for _ in range(firing.DEEP + 3):
        firing.note(workspace.pk, [ended(run) for run in DeclaredRun.objects.all()])
        firing.sweep()

    assert DeclaredRun.objects.count() == firing.DEEP + 1
    assert Firing.objects.get(state="refused").error.startswith("More than")


def happened(row: WorkflowTrigger, times: int) -> None:
    """As if what it waits for had been found so often."""
    now, known = timezone.now(), Firing.objects.count()
    names = [f"x {known + place}" for place in range(times)]
    rows = [Firing(workspace=row.workspace, trigger=row, occurrence=name, due_at=now) for name in names]
    Firing.objects.bulk_create(rows)


def test_a_trigger_starts_no_more_runs_an_hour_than_it_may_and_says_so_once(workspace: Workspace) -> None:
    row = armed(workspace, on="rule", rule="refunds-fail", most_an_hour=2)
    happened(row, 4)

    assert (firing.sweep(), DeclaredRun.objects.count()) == (2, 2)

    assert [state for state, _ in states()].count("limited") == 2
    assert "2 runs within the hour" in Firing.objects.filter(state="limited")[0].error
    assert Entry.objects.filter(kind="workflow.trigger_limited", subject_id=str(row.pk)).count() == 1
    (standing,) = fired.triggers_of(WorkflowDefinition.objects.get())
    assert (standing.started_lately, standing.limited, standing.most_an_hour) == (2, 2, 2)
    Firing.objects.update(at=timezone.now() - firing.HOUR)
    happened(row, 1)
    assert firing.sweep() == 1


@pytest.mark.django_db(transaction=True)
def test_two_that_look_at_once_start_no_more_than_it_may(workspace: Workspace) -> None:
    row = armed(workspace, on="rule", rule="refunds-fail", most_an_hour=1)
    happened(row, 2)
    with transaction.atomic():
        WorkflowTrigger.objects.select_for_update(no_key=True).get(pk=row.pk)
        with ThreadPoolExecutor(1) as elsewhere:
            assert elsewhere.submit(_swept).result() == 0

    assert firing.sweep() == 1


def _swept() -> int:
    try:
        return firing.sweep()
    finally:
        connection.close()


def test_a_new_limit_is_no_new_trigger(workspace: Workspace) -> None:
    row = armed(workspace, on="run", workflow="Invoice")
    arming.pause(workspace.pk, row.pk, flows.BY, "Too many")

    again = armed(workspace, on="run", workflow="Invoice", most_an_hour=9)

    assert (again.pk, arming.of(again).most_an_hour, again.paused_at is None) == (row.pk, 9, False)


def test_what_ended_long_ago_or_before_there_was_a_trigger_starts_nothing(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), name="Invoice")
    row = armed(workspace, on="run", workflow="Invoice", ends="completed")
    run = flows.begin(workspace, "Invoice")

    firing.note(workspace.pk, [ended(run, row.since - timedelta(seconds=1))])
    WorkflowTrigger.objects.update(since=timezone.now() - timedelta(days=1))
    firing.forget()
    firing.note(workspace.pk, [ended(run, timezone.now() - firing.OLD)])

    assert (firing.sweep(), Firing.objects.count()) == (0, 0)


def test_a_rule_that_begins_to_hold_starts_one_run(workspace: Workspace) -> None:
    policy = make.policy(workspace, "Refunds fail")
    row = armed(workspace, on="rule", rule=policy.slug)
    now = timezone.now()
    for began, shadow in ((now, False), (now, True), (row.since - timedelta(minutes=1), False)):
        told = {"version": 1, "signal": "failures", "target_kind": "workflow", "target": "7", "name": "Pay"}
        ended = None if began == now else now
        Episode.objects.create(
            workspace=workspace, policy=policy, shadow=shadow, began_at=began, last_at=now, ended_at=ended, **told
        )

    assert (firing.sweep(), firing.sweep()) == (1, 0)
    assert DeclaredRun.objects.get().input["trigger"]["name"] == "Pay"


def test_a_workflow_that_was_retired_meanwhile_starts_nothing_and_it_is_told(workspace: Workspace) -> None:
    row = armed(workspace, **HOURLY)
    Firing.objects.create(workspace=workspace, trigger=row, occurrence="x", due_at=timezone.now())
    version = declared.live(workspace.pk, "Refund")
    assert version
    declared.retire(version.pk, flows.BY, "Enough")

    assert firing.sweep() == 0
    assert Firing.objects.get().state == "refused"


@pytest.mark.parametrize(
    ("trigger", "path"),
    [
        ({"on": "schedule", "cron": "61 * * * *"}, "triggers[0].cron"),
        ({"on": "schedule", "cron": "0 0 30 2 *"}, "triggers[0].cron"),
        ({"on": "schedule", "cron": "@reboot"}, "triggers[0].cron"),
        ({"on": "schedule", "cron": "* * * * *", "zone": "../../etc/passwd"}, "triggers[0].zone"),
        ({"on": "run", "workflow": "Refund"}, "triggers[0].workflow"),
        ({"on": "run"}, "triggers[0].workflow"),
        ({"on": "rule", "rule": "x", "input": [1]}, "triggers[0].input"),
        ({"on": "rule", "rule": "x", "cron": "* * * * *"}, "triggers[0].cron"),
        ({"on": "rule", "rule": "x", "most_an_hour": 0}, "triggers[0].most_an_hour"),
        ({"on": "schedule", "cron": "* * * * *", "most_an_hour": 5}, "triggers[0].most_an_hour"),
        ({"on": "moon"}, "triggers[0].on"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_told_by_its_field(trigger: dict[str, Any], path: str) -> None:
    with pytest.raises(ValueError, match="triggers") as told:
        parse({"name": "Refund", "triggers": [trigger], "steps": [flows.step("a")]})

    assert path in str(told.value)


def test_what_starts_runs_is_the_engines_own_start(workspace: Workspace) -> None:
    """The same key is the same run, so that even a lost row would start nothing twice."""
    row = armed(workspace, **HOURLY)
    due(row, timedelta(seconds=2))
    firing.sweep()
    Firing.objects.update(state="waiting", run_id=None)

    firing.sweep()

    assert DeclaredRun.objects.count() == 1
