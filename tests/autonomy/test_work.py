"""Actions carried out: once, undone, given up and tried again, each step with its receipt."""

from __future__ import annotations

import secrets
import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from orchestration.autonomy import again, ordering, stops, work
from orchestration.autonomy.models import Action, Kind, State, Stop
from orchestration.autonomy.ordering import KeyUsed, Refused
from orchestration.control import states
from orchestration.ledger.models import Entry
from orchestration.policies import live
from orchestration.workspaces.models import Workspace
from tests import make
from tests.autonomy.ordered import BY, aimed, at_run, done, wish

pytestmark = pytest.mark.django_db


def receipts(action: Action) -> list[str]:
    found = Entry.objects.filter(subject_kind="action", subject_id=str(action.pk))
    return [kind.removeprefix("action.") for kind in found.order_by("at", "id").values_list("kind", flat=True)]


def test_a_quarantined_agent_is_so_everywhere_and_in_the_ledger(workspace: Workspace) -> None:
    agent = make.agent(workspace)

    action = done(workspace, Kind.QUARANTINE, aimed(agent))

    assert (action.state, action.result["changed"], action.attempts) == (State.DONE, True, 1)
    assert stops.agents_stopped(workspace.pk, Kind.QUARANTINE) == {agent.pk}
    assert states.census(workspace.pk, timezone.now()).quarantined == 1
    assert receipts(action) == ["ordered", "done"]


def test_every_change_of_who_may_go_on_makes_processes_read_it_anew(workspace: Workspace) -> None:
    before = live.book(workspace.pk).generation

    done(workspace, Kind.PAUSE, aimed(make.agent(workspace)))

    assert live.book(workspace.pk).generation == before + 1


def test_undo_takes_back_what_was_done_and_says_so_of_it(workspace: Workspace) -> None:
    agent = make.agent(workspace)
    action = done(workspace, Kind.QUARANTINE, aimed(agent))
    assert ordering.undoable(action)

    back = work.carry_out_one(ordering.undo(action, wish(Kind.RELEASE)))

    action.refresh_from_db()
    assert (back.state, action.state) == (State.DONE, State.UNDONE)
    assert not Stop.objects.exists()
    with pytest.raises(Refused):
        ordering.undo(action, wish(Kind.RELEASE))


def test_a_release_by_another_way_undoes_the_quarantine_too(workspace: Workspace) -> None:
    agent = make.agent(workspace)
    action = done(workspace, Kind.QUARANTINE, aimed(agent))

    done(workspace, Kind.RELEASE, aimed(agent))

    action.refresh_from_db()
    assert action.state == State.UNDONE


def test_what_is_ordered_and_taken_back_in_one_breath_ends_as_undone(workspace: Workspace) -> None:
    at = aimed(make.agent(workspace))
    stopped = ordering.order(workspace.pk, wish(Kind.QUARANTINE), at)
    ordering.order(workspace.pk, wish(Kind.RELEASE), at)

    assert work.carry_out() == 2

    stopped.refresh_from_db()
    assert stopped.state == State.UNDONE
    assert not Stop.objects.exists()


def test_two_quarantines_are_one_and_the_second_changes_nothing(workspace: Workspace) -> None:
    agent = make.agent(workspace)
    done(workspace, Kind.QUARANTINE, aimed(agent))

    second = done(workspace, Kind.QUARANTINE, aimed(agent))

    assert second.result["changed"] is False
    assert not ordering.undoable(second)


def test_the_same_key_is_one_act_and_another_wish_with_it_is_refused(workspace: Workspace) -> None:
    agent = make.agent(workspace)
    first = ordering.order(workspace.pk, wish(Kind.PAUSE, "k1"), aimed(agent))

    assert ordering.order(workspace.pk, wish(Kind.PAUSE, "k1"), aimed(agent)).pk == first.pk
    with pytest.raises(KeyUsed):
        ordering.order(workspace.pk, wish(Kind.PAUSE, "k1", minutes=5), aimed(agent))


def test_what_is_asked_about_needs_a_reason(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="why"):
        ordering.order(workspace.pk, wish(Kind.QUARANTINE, reason=" "), aimed(make.agent(workspace)))


def test_a_run_is_not_quarantined(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="no quarantine of a run"):
        ordering.order(workspace.pk, wish(Kind.QUARANTINE), at_run(make.run(workspace)))


def test_a_proposal_does_nothing_until_somebody_agrees(workspace: Workspace) -> None:
    action = ordering.order(workspace.pk, wish(Kind.PAUSE), aimed(make.agent(workspace)), proposed=True)
    assert work.carry_out() == 0

    assert ordering.approve(action, BY)

    assert work.carry_out() == 1
    assert Stop.objects.count() == 1
    assert not ordering.approve(action, BY)
    assert receipts(action) == ["proposed", "approved", "done"]


def test_a_proposal_that_is_declined_is_never_done(workspace: Workspace) -> None:
    action = ordering.order(workspace.pk, wish(Kind.PAUSE), aimed(make.agent(workspace)), proposed=True)

    assert ordering.decline(action, BY, "It polls, that is all")

    assert not ordering.approve(action, BY)
    assert work.carry_out() == 0


def test_a_pause_ends_by_itself_after_its_minutes(workspace: Workspace) -> None:
    agent = make.agent(workspace)
    action = done(workspace, Kind.PAUSE, aimed(agent), minutes=5)
    Stop.objects.update(until=timezone.now() - timedelta(seconds=1))

    work.carry_out()

    action.refresh_from_db()
    assert action.state == State.UNDONE
    assert not stops.stops(workspace.pk)
    assert Action.objects.get(kind=Kind.RESUME).by == "baton:autonomy"


def test_a_cancelled_run_stays_so_and_is_reopened(workspace: Workspace) -> None:
    run = make.run(workspace, status="running")
    action = done(workspace, Kind.CANCEL, at_run(run))
    run.refresh_from_db()
    assert (run.status, run.cancelled_at is not None) == ("cancelled", True)

    work.carry_out_one(ordering.undo(action, wish(Kind.REOPEN)))

    run.refresh_from_db()
    assert (run.status, run.cancelled_at) == ("running", None)


def test_a_run_that_is_over_is_not_cancelled(workspace: Workspace) -> None:
    action = done(workspace, Kind.CANCEL, at_run(make.run(workspace)))

    assert action.result == {"changed": False, "was": "over"}


def test_what_nobody_takes_is_given_up_with_the_reason_and_may_be_tried_again(workspace: Workspace) -> None:
    action = done(workspace, Kind.COMPENSATE, at_run(make.run(workspace)))
    assert (action.state, "no webhook" in action.error) == (State.DEAD, True)

    assert again.retry(action, BY)

    action.refresh_from_db()
    assert (action.state, action.error) == (State.QUEUED, "")
    assert receipts(action) == ["ordered", "given_up", "tried_again"]


def test_what_fails_is_tried_again_later_and_then_given_up(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(action: Action, names: object) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr("orchestration.autonomy.effects.perform", fail)
    action = done(workspace, Kind.PAUSE, aimed(make.agent(workspace)))
    assert (action.state, action.due_at > timezone.now()) == (State.FAILED, True)

    for _ in work.PAUSES_S:
        Action.objects.update(due_at=timezone.now())
        work.carry_out()

    action.refresh_from_db()
    assert (action.state, action.attempts) == (State.DEAD, len(work.PAUSES_S) + 1)


def test_one_that_fails_takes_no_other_with_it(workspace: Workspace) -> None:
    bad = ordering.order(workspace.pk, wish(Kind.COMPENSATE), at_run(make.run(workspace)))
    good = ordering.order(workspace.pk, wish(Kind.PAUSE), aimed(make.agent(workspace)))

    assert work.carry_out() == 2

    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, good.state) == (State.DEAD, State.DONE)


def test_an_order_is_one_press_for_many_with_a_result_for_each(workspace: Workspace) -> None:
    targets = [at_run(make.run(workspace, status="running")) for _ in range(5)]
    targets.append(at_run(make.run(workspace)))
    asked = wish(Kind.CANCEL)
    made = ordering.order_all(workspace.pk, asked, targets, {"status": "running"})
    assert ordering.order_all(workspace.pk, asked, targets, {"status": "running"}).pk == made.pk

    work.carry_out()

    results = list(made.actions.values_list("state", "result__changed"))
    assert results.count(("done", True)) == 5
    assert results.count(("done", False)) == 1


def test_an_order_of_nothing_is_refused(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="Nothing fits"):
        ordering.order_all(workspace.pk, wish(Kind.CANCEL), [], {})


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_do_each_act_once() -> None:
    workspace = make.workspace()
    agents = [make.agent(workspace, f"bot-{secrets.token_hex(3)}") for _ in range(60)]
    ordering.order_all(workspace.pk, wish(Kind.PAUSE), [aimed(each) for each in agents], {})

    def go() -> None:
        work.carry_out()
        connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work.carry_out()

    assert Stop.objects.count() == 60
    assert set(Action.objects.values_list("state", "attempts", "result__changed")) == {(State.DONE, 1, True)}
    assert Entry.objects.filter(workspace=workspace.pk, kind="action.done").count() == 60


def test_whoever_spells_himself_anew_does_not_slip_through(workspace: Workspace) -> None:
    agent = make.agent(workspace, "Refund-Bot")
    done(workspace, Kind.QUARANTINE, aimed(agent))
    found = stops.stops(workspace.pk)

    now = timezone.now()
    assert found.found(agent.pk, "desk/Refund-Bot", "", now)
    assert found.found(0, "refund_bot", "", now)
    assert found.found(0, "nowhere/REFUND-BOT", "", now)
    assert not found.found(agent.pk + 1, "refund-bot", "", now)
    assert not found.found(0, "other", "", now)


def test_the_hardest_of_several_comes_first(workspace: Workspace) -> None:
    agent = make.agent(workspace)
    done(workspace, Kind.PAUSE, aimed(agent))
    done(workspace, Kind.QUARANTINE, aimed(agent))

    stopped = stops.stops(workspace.pk).found(agent.pk, "refund", "", timezone.now())

    assert stopped
    assert stopped.kind == Kind.QUARANTINE
