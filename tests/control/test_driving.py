"""Declared workflows from start to end: order, guards, retries, limits, people, addresses, cancelling."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from dashboard import action_words
from orchestration.autonomy.models import Kind
from orchestration.control import clocks, digest, driving
from orchestration.control.driving import Stopped
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.holds.verdicts import Verdict
from orchestration.ledger.models import Entry
from orchestration.outbox.models import Endpoint, Message
from orchestration.workflows import account, declared, forgetting, leases, progress
from orchestration.workflows.declared_models import DeclaredRun, DefinitionVersion, Effect, Task
from orchestration.workflows.definition import parse
from orchestration.workflows.engine import Done
from orchestration.workflows.leases import LeaseId, NotThere, NotYours
from orchestration.workflows.starting import KeyUsed, Start
from orchestration.workspaces.models import User, Workspace
from tests import make
from tests.autonomy.ordered import aimed, at_run, done
from tests.control import flows

pytestmark = pytest.mark.django_db
HUMAN = {
    "owner": {"human": "approvals"},
    "ask": {"question": "Pay it?", "proposal": "Pay it.", "why": "It is much."},
}


def test_steps_begin_when_all_they_come_after_has_ended(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), flows.step("b"), flows.step("c", "a b"), flows.step("d", "c"))
    run = flows.begin(workspace)

    assert flows.ready(run) == ["a", "b"]
    flows.finish(workspace, flows.one(workspace))
    assert flows.ready(run) == ["b"]
    assert flows.work(workspace) == ["b", "c", "d"]
    assert flows.state(run) == "completed"


def test_a_step_is_given_what_the_ones_before_it_gave(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("look"), flows.step("pay", "look"), flows.step("tell", "pay"))
    flows.begin(workspace, order=17)
    flows.finish(workspace, flows.one(workspace), amount=20)

    lease = flows.one(workspace)

    assert (lease.step, lease.input, lease.results) == ("pay", {"order": 17}, {"look": {"amount": 20}})


def test_the_same_key_starts_one_run(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    wish = Start(flows.BY, {"order": 1}, key="order-1")

    first, second = (driving.start(workspace.pk, "Refund", wish) for _ in range(2))

    assert (first[0].id, first[1], second[1]) == (second[0].id, True, False)
    with pytest.raises(KeyUsed):
        driving.start(workspace.pk, "Refund", Start(flows.BY, {"order": 2}, key="order-1"))


def test_a_run_keeps_the_version_it_began_with(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), flows.step("b", "a"))
    old = flows.begin(workspace)
    flows.declare(workspace, flows.step("a"), flows.step("z", "a"))
    new = flows.begin(workspace)

    flows.work(workspace)

    assert (set(flows.states(old)), set(flows.states(new))) == ({"a", "b"}, {"a", "z"})
    assert flows.state(old) == flows.state(new) == "completed"


def test_what_is_live_cannot_be_rewritten(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    version = declared.live(workspace.pk, "Refund")
    assert version

    with pytest.raises(Exception, match="cannot change"), transaction.atomic():
        DefinitionVersion.objects.filter(pk=version.pk).update(body={})
    draft = declared.save(workspace.pk, parse({"name": "Refund", "steps": [flows.step("b")]}), flows.BY)
    assert (draft.number, draft.state) == (2, "draft")


def test_a_guard_that_says_no_skips_the_step_and_what_hangs_on_it_alone(workspace: Workspace) -> None:
    flows.declare(
        workspace,
        flows.step("look"),
        flows.step("sign", "look", guard="context.steps.look.amount > 100.0"),
        flows.step("file", "sign"),
        flows.step("pay", "look sign"),
    )
    run = flows.begin(workspace)

    flows.finish(workspace, flows.one(workspace), amount=20)

    assert flows.states(run) == {"look": "done", "sign": "skipped", "file": "skipped", "pay": "ready"}


def test_a_guard_that_cannot_be_told_fails_the_step(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a", guard="context.input.amount > 100.0"))

    run = flows.begin(workspace, amount="many")

    assert flows.state(run) == "failed"
    assert "guard" in flows.task(run, "a").error


def test_two_never_get_the_same_step(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), flows.step("b"))
    flows.begin(workspace)

    first, second, third = (flows.take(workspace, name) for name in ("x", "y", "z"))

    assert ({first[0].step, second[0].step}, third) == ({"a", "b"}, [])


def test_an_agent_gets_what_names_it_or_its_skills(workspace: Workspace) -> None:
    owned = [{"id": n, "owner": o} for n, o in (("a", {"agent": "payer"}), ("b", {"skill": "look up"}))]
    flows.declare(workspace, *owned)
    flows.begin(workspace)

    assert flows.take(workspace, "other", "cook") == []
    assert flows.one(workspace, "payer", "cook").step == "a"
    assert flows.one(workspace, "other", "look up").step == "b"


def test_a_dead_agents_step_goes_on_once_and_its_late_answer_is_refused(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), flows.step("b", "a"))
    run = flows.begin(workspace)
    dead = flows.one(workspace, "dead")
    flows.pass_time(workspace, 40)
    alive = flows.one(workspace, "alive")

    with pytest.raises(NotYours, match="alive"):
        flows.finish(workspace, dead)
    with pytest.raises(NotYours):
        leases.keep(workspace.pk, dead.id)
    flows.finish(workspace, alive, ok=1)

    assert (alive.attempt, alive.key, flows.states(run)) == (2, dead.key, {"a": "done", "b": "ready"})
    with pytest.raises(NotYours, match="done"):
        flows.finish(workspace, dead)


def test_a_sign_of_life_keeps_a_lease_but_not_beyond_the_time_limit(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a", time_limit_s=60))
    run = flows.begin(workspace)
    lease = flows.one(workspace)

    flows.pass_time(workspace, 20)
    assert not leases.keep(workspace.pk, lease.id).stop
    flows.pass_time(workspace, 20)
    assert flows.states(run) == {"a": "leased"}
    assert leases.keep(workspace.pk, lease.id).expires_at <= lease.limit_at
    flows.pass_time(workspace, 21)

    assert (flows.state(run), flows.task(run, "a").error_class) == ("failed", "timeout")


def test_the_same_word_of_a_lease_twice_is_one(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a", retry={"rules": [{"attempts": 3}]}), flows.step("b", "a"))
    run = flows.begin(workspace)
    lease = flows.one(workspace)

    assert flows.lose(workspace, lease).state == flows.lose(workspace, lease).state == "ready"
    flows.pass_time(workspace, 10)
    again = flows.one(workspace)
    assert flows.finish(workspace, again, ok=1).state == flows.finish(workspace, again, ok=1).state == "done"
    assert (flows.task(run, "a").retries, flows.effects(run)) == (1, [("a", "done")])


def test_a_step_is_tried_again_as_its_error_class_says(workspace: Workspace) -> None:
    rules = [{"on": ["busy"], "attempts": 2, "wait_s": 30, "jitter": 0}]
    flows.declare(workspace, flows.step("a", retry={"rules": rules}))
    run = flows.begin(workspace)
    flows.lose(workspace, flows.one(workspace), "busy")

    assert flows.take(workspace) == []
    flows.pass_time(workspace, 31)
    flows.lose(workspace, flows.one(workspace), "busy")

    assert flows.state(run) == "failed"
    other = flows.begin(workspace)
    flows.lose(workspace, flows.one(workspace), "broken")
    assert flows.state(other) == "failed"


def test_all_steps_of_a_run_share_its_retries(workspace: Workspace) -> None:
    retry = {"rules": [{"attempts": 9, "wait_s": 0}]}
    flows.declare(workspace, flows.step("a", retry=retry), flows.step("b", retry=retry), retry_budget=1)
    run = flows.begin(workspace)

    for lease in flows.take(workspace, most=2):
        flows.lose(workspace, lease)

    assert flows.state(run) == "failed"


def test_what_may_happen_once_only_is_not_given_to_a_second(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("pay", idempotent=False))
    run = flows.begin(workspace)
    flows.one(workspace)

    flows.pass_time(workspace, 40)

    assert (flows.state(run), flows.task(run, "pay").error_class) == ("failed", "lost")
    assert flows.effects(run) == [("pay", "done")]  # whether it was paid nobody knows: who takes it back has to look


def test_a_step_that_nobody_takes_in_time_has_failed(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a", wait_limit_s=60, if_fails="go_on"), flows.step("b", "a"))
    run = flows.begin(workspace)

    flows.pass_time(workspace, 61)

    assert (flows.states(run), flows.task(run, "a").error_class) == ({"a": "failed", "b": "ready"}, "unclaimed")


def verdict(hold: Hold, by: User, answer: Answered, note: str = "") -> None:
    verdicts.decide(hold, Verdict(answer, note), by, revision=hold.revision)
    Hold.objects.filter(pk=hold.pk).update(apply_at="2020-01-01T00:00:00Z")
    verdicts.apply_due()
    clocks.sweep()


def test_a_person_is_asked_once_and_the_run_goes_on_with_the_answer(workspace: Workspace, reviewer: User) -> None:
    flows.declare(workspace, flows.step("look"), {"id": "sign", "after": ["look"], **HUMAN}, flows.step("pay", "sign"))
    run = flows.begin(workspace, order=17)
    flows.finish(workspace, flows.one(workspace), amount=20)
    clocks.sweep()

    hold = Hold.objects.get()
    assert (hold.question, hold.skill, hold.run_id, hold.step) == ("Pay it?", "approvals", run.id, "sign")
    assert [each["kind"] for each in hold.evidence] == ["input", "look"]
    verdict(hold, reviewer, Answered.APPROVE)

    lease = flows.one(workspace)
    assert (lease.step, lease.results["sign"]["verdict"], lease.results["sign"]["by"]) == ("pay", "approve", "reviewer")


@pytest.mark.parametrize(("answer", "error_class"), [(Answered.REJECT, "rejected"), (Answered.MORE, "more")])
def test_a_no_fails_the_step(workspace: Workspace, reviewer: User, answer: Answered, error_class: str) -> None:
    flows.declare(workspace, {"id": "sign", **HUMAN, "retry": {"rules": [{"attempts": 3}]}})
    run = flows.begin(workspace)

    verdict(Hold.objects.get(), reviewer, answer, "Not so")

    assert (flows.state(run), flows.task(run, "sign").error_class) == ("failed", error_class)


def test_who_answers_too_late_is_not_waited_for(workspace: Workspace) -> None:
    flows.declare(workspace, {"id": "sign", **HUMAN, "time_limit_s": 60})
    run = flows.begin(workspace)
    Hold.objects.update(due_at="2020-01-01T00:00:00Z")

    verdicts.expire_due()
    clocks.sweep()

    assert (flows.state(run), flows.task(run, "sign").error_class) == ("failed", "timeout")


def test_an_address_is_called_once_and_answers_by_its_lease(workspace: Workspace) -> None:
    endpoint = Endpoint.objects.create(workspace=workspace, url="https://x.example", events=[], salt="s", check_sum="c")
    flows.declare(workspace, {"id": "pay", "owner": {"webhook": str(endpoint.pk)}}, flows.step("b", "pay"))
    run = flows.begin(workspace, order=17)
    clocks.sweep()

    message = Message.objects.get()
    assert (message.event, message.data["input"], message.data["key"]) == (
        "step.called",
        {"order": 17},
        f"{run.id}:pay",
    )
    lease = LeaseId.read(message.data["lease"])
    assert lease
    driving.complete(workspace.pk, lease, Done({"paid": True}))

    assert flows.states(run) == {"pay": "done", "b": "ready"}


def test_an_address_that_takes_nothing_fails_its_step(workspace: Workspace) -> None:
    endpoint = Endpoint.objects.create(workspace=workspace, url="https://x.example", events=[], salt="s", check_sum="c")
    flows.declare(workspace, {"id": "pay", "owner": {"webhook": str(endpoint.pk)}})
    run = flows.begin(workspace)
    Message.objects.update(state="dead", error="Answered 500.")

    clocks.sweep()

    assert (flows.state(run), flows.task(run, "pay").error_class) == ("failed", "undelivered")


def test_an_address_of_another_workspace_is_called_by_nobody(workspace: Workspace) -> None:
    other = make.workspace("other")
    endpoint = Endpoint.objects.create(workspace=other, url="https://x.example", events=[], salt="s", check_sum="c")
    flows.declare(workspace, {"id": "pay", "owner": {"webhook": str(endpoint.pk)}})

    run = flows.begin(workspace)

    assert (flows.state(run), Message.objects.count()) == ("failed", 0)


def test_after_a_cancel_nothing_begins_and_nobody_is_asked(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), flows.step("b", "a"), flows.step("c"), {"id": "sign", **HUMAN})
    run = flows.begin(workspace)
    lease = flows.one(workspace)

    for _ in range(2):
        driving.cancel(workspace.pk, run.id, flows.BY, "A mistake")

    assert leases.keep(workspace.pk, lease.id).stop
    flows.finish(workspace, lease)
    assert flows.states(run) == {"a": "done", "b": "cancelled", "c": "cancelled", "sign": "cancelled"}
    assert (flows.state(run), Hold.objects.get().state) == ("cancelled", "cancelled")


def test_a_run_that_has_ended_is_not_cancelled(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    run = flows.begin(workspace)
    flows.work(workspace)

    with pytest.raises(driving.NotNow, match="completed"):
        driving.cancel(workspace.pk, run.id, flows.BY, "A mistake")


def test_acts_upon_a_declared_run_are_done_by_the_engine_and_ask_no_agent(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"), flows.step("b", "a"))
    run = flows.begin(workspace)
    shown = make.run(workspace, id=run.id, status="failed")
    flows.finish(workspace, flows.one(workspace), paid=20)
    flows.lose(workspace, flows.one(workspace))

    tried = done(workspace, Kind.RETRY, at_run(shown))
    assert (tried.state, tried.result["steps"], flows.states(run)["b"]) == ("done", ["b"], "ready")
    assert action_words.effect(tried) == "1 step that had failed waits to be taken again."
    undone = done(workspace, Kind.COMPENSATE, at_run(shown), reason="Wrong customer")

    assert (undone.state, flows.state(run), flows.effects(run)) == ("done", "undoing", [("a", "asked")])
    assert action_words.effect(undone) == "What it did is taken back, newest first: 1 effect."
    again = done(workspace, Kind.COMPENSATE, at_run(shown), reason="Wrong customer", key="again")
    assert (again.result["changed"], flows.effects(run)) == (False, [("a", "asked")])
    refused = done(workspace, Kind.RETRY, at_run(shown), key="late")
    assert (refused.state, flows.state(run)) == ("done", "undoing")
    assert not refused.result["changed"]


def test_the_button_that_cancels_runs_ends_a_declared_one_too(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"), {"id": "sign", **HUMAN})
    run = flows.begin(workspace)
    shown = make.run(workspace, id=run.id, status="running")

    action = done(workspace, Kind.CANCEL, at_run(shown))

    assert (action.state, flows.state(run), Hold.objects.get().state) == ("done", "cancelled", "cancelled")
    again = done(workspace, Kind.REOPEN, at_run(shown))
    assert (again.state, "start it again" in again.error, flows.state(run)) == ("dead", True, "cancelled")


def test_what_old_runs_carried_is_forgotten_and_then_that_they_were(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"))
    old, going = flows.begin(workspace, who="Ann"), flows.begin(workspace, who="Bob")
    flows.finish(workspace, flows.one(workspace), paid=1)
    later = old.started_at + timedelta(days=1)

    assert forgetting.forget_data(workspace.pk, later) == 3
    assert forgetting.forget_data(workspace.pk, later) == 0
    assert DeclaredRun.objects.get(id=going.id).input == {"who": "Bob"}
    assert forgetting.forget_runs(workspace.pk, later) == 1
    assert (Task.objects.count(), Effect.objects.count(), DeclaredRun.objects.count()) == (1, 0, 1)


def test_who_is_quarantined_or_paused_gets_nothing(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    flows.begin(workspace)
    agent = make.agent(workspace, "worker")

    done(workspace, Kind.QUARANTINE, aimed(agent))

    with pytest.raises(Stopped, match="quarantined") as stopped:
        flows.take(workspace, "worker")
    assert stopped.value.again_s == 0
    assert flows.one(workspace, "another")


def test_a_run_that_cannot_be_moved_stops_no_other(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    flows.declare(workspace, flows.step("a"))
    bad, good = flows.begin(workspace), flows.begin(workspace)
    flows.take(workspace, most=2)
    look = clocks.look

    def broken(m: Any) -> None:
        if m.run.id == bad.id:
            raise RuntimeError("broken")
        look(m)

    monkeypatch.setattr(clocks, "look", broken)
    flows.pass_time(workspace, 40)

    assert (flows.states(good), flows.states(bad)) == ({"a": "ready"}, {"a": "leased"})


@pytest.mark.django_db(transaction=True)
def test_a_declared_run_is_a_run_like_any_other(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("look"), flows.step("pay", "look", retry={"rules": [{"wait_s": 0}]}))
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace))
    flows.lose(workspace, flows.one(workspace))
    flows.work(workspace)
    digest.drain()
    settle(workspace)

    found = account.run(workspace.pk, str(run.id), steps_from=0, steps=100)
    assert found
    assert (found.run.id, found.run.status, found.run.workflow) == (run.id, "completed", "Refund")
    assert found.run.agents == ["worker"]
    assert [(each.name, each.status) for each in found.steps][1:] == [("look", "ok"), ("pay", "failed"), ("pay", "ok")]


def settle(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update workflows_trace set due_at = now() - interval '1 s' where due_at is not null")
    digest.settle()


def test_every_act_is_in_the_ledger(workspace: Workspace) -> None:
    flows.declare(workspace, flows.undoable("a"), flows.step("b", "a"))
    run = flows.begin(workspace)
    flows.finish(workspace, flows.one(workspace))
    flows.lose(workspace, flows.one(workspace))
    driving.roll_back(workspace.pk, run.id, flows.BY, "Not wanted")
    flows.work(workspace)

    kinds = list(Entry.objects.filter(subject_id=str(run.id)).order_by("id").values_list("kind", flat=True))

    assert kinds == [
        "run.started",
        "step.finished",
        "step.failed",
        "run.failed",
        "run.undoing",
        "effect.asked",
        "step.finished",
        "effect.undone",
        "run.undone",
    ]


def test_another_workspace_finds_neither_run_nor_lease(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    run, lease = flows.begin(workspace), flows.one(workspace)
    other = make.workspace("other")

    assert driving.cancel(other.pk, run.id, flows.BY, "x") is None
    assert driving.roll_back(other.pk, UUID(str(run.id)), flows.BY, "x") is None
    with pytest.raises(NotThere):
        flows.finish(other, lease)
    assert flows.take(other) == []


def test_how_a_workflow_stands_is_read_from_what_goes_on_and_what_ended_badly_alone(workspace: Workspace) -> None:
    flows.declare(workspace, flows.step("a"))
    flows.begin(workspace)
    with CaptureQueriesContext(connection) as asked:
        progress.standing(workspace.pk, "Refund")
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute("set local enable_bitmapscan = off")
        plans = ""
        for each in asked.captured_queries:
            if "declaredrun" in each["sql"]:
                cursor.execute(f"explain {each['sql']}")
                plans += str(cursor.fetchall())

    assert "declared_going" in plans
    assert "declared_ended_badly" in plans
