"""A step, or an undo, that failed for good is tried again by a person: what was done stays done, twice is once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestration.control import driving
from orchestration.ledger.models import Entry
from orchestration.workflows import anew
from orchestration.workflows.declared_models import DeclaredRun, Effect, Task
from orchestration.workflows.leases import NotYours
from orchestration.workspaces.models import Workspace
from tests.control import flows

pytestmark = pytest.mark.django_db


def again(run: DeclaredRun, name: str, failed_at: Any = None) -> None:
    driving.try_again(run.workspace_id, run.id, lambda m: anew.step(m, name, flows.BY, "The bank is back", failed_at))


def undo_again(run: DeclaredRun, step: str, failed_at: Any = None) -> None:
    effect = Effect.objects.get(run_id=run.id, step=step)
    driving.try_again(run.workspace_id, run.id, lambda m: anew.undo(m, effect.id, flows.BY, "Opened again", failed_at))


@pytest.fixture
def failed(workspace: Workspace) -> DeclaredRun:
    """`a` is done, `b` has failed for good, `c` was never begun."""
    flows.declare(workspace, flows.step("a"), flows.step("b", "a"), flows.step("c", "b"), flows.step("d", "a"))
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace), n=1)
    flows.lose(workspace, next(lease for lease in flows.take(workspace, most=2) if lease.step == "b"))
    return run


def test_one_step_is_tried_again_and_the_rest_goes_on_from_there(workspace: Workspace, failed: DeclaredRun) -> None:
    assert (flows.state(failed), flows.states(failed)["c"]) == ("failed", "cancelled")

    again(failed, "b")

    assert flows.states(failed) == {"a": "done", "b": "ready", "c": "blocked", "d": "leased"}
    lease = flows.one(workspace)
    assert (lease.step, lease.attempt, lease.results) == ("b", 2, {"a": {"n": 1}})
    flows.finish(workspace, lease)
    flows.finish(workspace, flows.one(workspace))
    flows.pass_time(workspace, 40)
    flows.work(workspace)
    assert flows.state(failed) == "completed"
    assert Entry.objects.filter(kind="step.tried_again", actor=flows.BY).count() == 1


def test_pressing_twice_or_too_late_is_one_effect(workspace: Workspace, failed: DeclaredRun) -> None:
    at = flows.task(failed, "b").ended_at
    again(failed, "b", at)
    again(failed, "b", at)
    assert Entry.objects.filter(kind="step.tried_again").count() == 1
    flows.lose(workspace, flows.one(workspace))

    again(failed, "b", at)

    assert flows.states(failed)["b"] == "failed"
    again(failed, "b", flows.task(failed, "b").ended_at)
    assert flows.states(failed)["b"] == "ready"


def test_who_failed_it_says_nothing_any_more(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    run = flows.begin(workspace)
    lease = flows.one(workspace)
    flows.lose(workspace, lease)
    again(run, "a")

    with pytest.raises(NotYours):
        flows.finish(workspace, lease)


def test_only_what_failed_is_tried_again_and_not_in_a_run_that_was_ended_otherwise(
    workspace: Workspace, failed: DeclaredRun
) -> None:
    for name in ("a", "c", "nothing"):
        with pytest.raises(driving.NotNow):
            again(failed, name)
    driving.roll_back(workspace.pk, failed.id, flows.BY, "Not wanted")
    with pytest.raises(driving.NotNow, match="roll"):
        again(failed, "b")


def test_a_step_whose_run_went_on_without_it_is_tried_again_in_the_completed_run(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a", if_fails="go_on"), flows.step("b"))
    run = flows.begin(workspace)
    for lease in flows.take(workspace, most=2):
        (flows.lose if lease.step == "a" else flows.finish)(workspace, lease)
    assert flows.state(run) == "completed"

    again(run, "a")

    assert (flows.state(run), flows.states(run)) == ("running", {"a": "ready", "b": "done"})
    flows.work(workspace)
    assert flows.state(run) == "completed"


def test_taking_back_is_tried_again_by_the_same_task_and_key(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"), flows.undoable("b", "a"))
    run = flows.begin(workspace)
    flows.work(workspace)
    driving.roll_back(workspace.pk, run.id, flows.BY, "Not wanted")
    first = flows.one(workspace)
    flows.lose(workspace, first, "gone", "The account is closed")
    flows.work(workspace)
    assert (flows.state(run), flows.effects(run)) == ("undone", [("a", "undone"), ("b", "failed")])
    at = Effect.objects.get(step="b").ended_at

    undo_again(run, "b", at)
    undo_again(run, "b", at)

    assert (flows.state(run), flows.effects(run)) == ("undoing", [("a", "undone"), ("b", "asked")])
    lease = flows.one(workspace)
    assert lease.key == first.key
    flows.finish(workspace, lease)
    assert (flows.state(run), flows.effects(run)) == ("undone", [("a", "undone"), ("b", "undone")])
    assert Task.objects.exclude(undoes=None).count() == 2
    with pytest.raises(driving.NotNow):
        undo_again(run, "b")


def test_what_a_lost_attempt_may_have_done_is_taken_back_once_with_what_the_next_one_did(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a", idempotent=False))
    run = flows.begin(workspace)
    flows.one(workspace)
    flows.pass_time(workspace, 40)  # lost: nobody knows whether it was done
    assert flows.effects(run) == [("a", "done")]
    again(run, "a")
    flows.finish(workspace, flows.one(workspace), paid=20)

    driving.roll_back(workspace.pk, run.id, flows.BY, "Not wanted")

    lease = flows.one(workspace)
    assert lease.undo
    assert lease.undo["data"] == {"paid": 20}
    flows.finish(workspace, lease)
    assert flows.take(workspace) == []
    assert (flows.effects(run), flows.state(run)) == ([("a", "undone"), ("a", "undone")], "undone")


def test_a_time_is_meant_to_the_millisecond(failed: DeclaredRun) -> None:
    at = flows.task(failed, "b").ended_at
    assert at
    again(failed, "b", at - timedelta(seconds=1))
    assert flows.states(failed)["b"] == "failed"

    again(failed, "b", at.replace(microsecond=at.microsecond // 1000 * 1000))

    assert flows.states(failed)["b"] == "ready"
