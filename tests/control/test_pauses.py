"""Runs that wait for a person, and runs that failed for good, as questions in the inbox."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestration.autonomy.models import Kind
from orchestration.control import digest, pauses
from orchestration.holds.models import Hold, Source, State
from orchestration.ledger.models import Entry
from orchestration.workflows.models import Run, Workflow
from orchestration.workspaces.models import Workspace
from tests.autonomy.ordered import at_run, done
from tests.control.test_digest import SECOND, Sender, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


def take(workspace: Workspace) -> None:
    while digest.digest(workspace.pk):
        pass
    settle_all(workspace)


def asks(sender: Sender, *, later: bool = False) -> None:
    """A run of which an agent asks a person, by a tool; `later`: and then goes on."""
    names: dict[str, Any] = {"gen_ai__agent__name": "refund-bot", "gen_ai__operation__name": "invoke_agent"}
    root = sender.span("invoke_agent refund-bot", took=5, **names)
    tool: dict[str, Any] = {"gen_ai__operation__name": "execute_tool"}
    sender.span("execute_tool escalate_to_human", root, at=1, gen_ai__tool__name="escalate_to_human", **tool)
    if later:
        sender.span("execute_tool pay", root, at=3, gen_ai__tool__name="pay", **tool)


def test_a_run_that_waits_for_a_person_is_a_question_once(workspace: Workspace) -> None:
    sender = Sender(workspace)
    asks(sender)

    for _ in range(2):
        sender.deliver()
        take(workspace)

    hold = Hold.objects.get()
    assert (hold.source, hold.state, hold.agent, hold.run_id) == (
        "telemetry",
        "open",
        "refund-bot",
        Run.objects.get().id,
    )
    assert all((hold.question, hold.proposal, hold.why, hold.cost_of_waiting, hold.evidence))
    assert list(Entry.objects.values_list("kind", "actor")) == [("hold.opened", "baton")]


def test_it_is_taken_back_when_the_run_goes_on(workspace: Workspace) -> None:
    sender = Sender(workspace)
    asks(sender)
    sender.deliver()
    take(workspace)

    sender.span(
        "execute_tool pay",
        sender.spans[0].span_id,
        at=3,
        gen_ai__tool__name="pay",
        gen_ai__operation__name="execute_tool",
    )
    sender.deliver(sender.spans[-1])
    take(workspace)

    assert Hold.objects.get().state == State.CANCELLED
    assert Hold.objects.get().revision == 1


def test_a_run_that_was_cancelled_asks_nobody_any_more(workspace: Workspace) -> None:
    sender = Sender(workspace)
    asks(sender)
    sender.deliver()
    take(workspace)
    done(workspace, Kind.CANCEL, at_run(Run.objects.get()))
    assert Hold.objects.get().state == "cancelled"

    asks(sender)
    sender.deliver()
    take(workspace)

    assert (Run.objects.get().status, [hold.state for hold in Hold.objects.all()]) == ("cancelled", ["cancelled"])


def test_a_run_that_went_on_already_asks_nobody(workspace: Workspace) -> None:
    sender = Sender(workspace)
    asks(sender, later=True)
    sender.deliver()

    take(workspace)

    assert not Hold.objects.exists()


def test_what_comes_late_asks_nobody(workspace: Workspace) -> None:
    sender = Sender(workspace)
    sender.begun -= 16 * 60 * SECOND
    asks(sender)
    sender.deliver()

    take(workspace)

    assert Run.objects.get().status == "waiting"
    assert not Hold.objects.exists()


def test_an_agent_that_asked_itself_is_not_asked_about_again(workspace: Workspace) -> None:
    sender = Sender(workspace)
    asks(sender)
    Hold.objects.create(
        workspace=workspace, source=Source.DECISION, agent="refund-bot", question="?", proposal="p", why="w",
        run=sender.trace_id.hex(), state=State.APPLIED, opened_at=timezone.now() - timedelta(seconds=20),
    )  # fmt: skip
    sender.deliver()

    take(workspace)

    assert Hold.objects.count() == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_a_run_that_failed_is_a_question_where_an_admin_wants_it(workspace: Workspace, wanted: bool) -> None:
    for _ in range(2):  # the first tells the workflow's name
        sender = Sender(workspace)
        sender.span(
            "Refund", error="no money", gen_ai__agent__name="refund-bot", gen_ai__operation__name="invoke_agent"
        )
        sender.deliver()
        take(workspace)
        Workflow.objects.update(asks_when_failed=wanted)

    holds = Hold.objects.filter(source=Source.FAILURE)
    assert holds.count() == int(wanted)
    assert all("no money" in hold.why for hold in holds)


def test_a_question_of_the_agent_itself_that_comes_later_takes_ours_back(workspace: Workspace) -> None:
    sender = Sender(workspace)
    asks(sender)
    sender.deliver()
    take(workspace)
    assert pauses.sweep() == 0

    Hold.objects.create(
        workspace=workspace, source=Source.DECISION, agent="refund-bot", question="?", proposal="p", why="w",
        run=sender.trace_id.hex(),
    )  # fmt: skip

    assert pauses.sweep() == 1
    assert Hold.objects.get(source=Source.TELEMETRY).state == State.CANCELLED


@pytest.mark.parametrize("named", ["by its own text", "by its trace"])
def test_a_question_is_tied_to_the_run_that_it_named_before_its_spans_came(workspace: Workspace, named: str) -> None:
    sender = Sender(workspace)
    sender.span("invoke_agent refund-bot", gen_ai__agent__name="refund-bot", gen_ai__operation__name="invoke_agent")
    sender.spans[0].attributes.add(key="baton.run.id").value.string_value = "order-7"
    run = "order-7" if named == "by its own text" else sender.spans[0].trace_id.hex()
    hold = Hold.objects.create(workspace=workspace, source=Source.DECISION, agent="refund-bot", run=run)
    other = Hold.objects.create(workspace=workspace, source=Source.DECISION, agent="refund-bot", run="order-8")
    pauses.sweep()
    sender.deliver()
    take(workspace)

    pauses.sweep()

    hold.refresh_from_db()
    other.refresh_from_db()
    assert (hold.run_id, other.run_id, hold.state) == (Run.objects.get().id, None, State.OPEN)
