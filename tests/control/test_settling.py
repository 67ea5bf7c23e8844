from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from orchestration.control import digest, settling
from orchestration.handoffs.models import Handoff
from orchestration.registry.models import Agent
from orchestration.telemetry import packing
from orchestration.telemetry.models import Pulse, Signal, SpanMinute
from orchestration.telemetry.spans import Kind
from orchestration.workflows.models import Run, RunBooking, RunStatus, Step, Trace, Workflow, WorkflowMinute
from orchestration.workspaces.models import ApiKey, Workspace
from tests import make
from tests.control.test_digest import SECOND, Sender, deliver, figures, kv, refund, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


def take(workspace: Workspace) -> None:
    while digest.digest(workspace.pk):
        pass
    settle_all(workspace)


def live_runs() -> list[Run]:
    return list(Run.objects.filter(merged_into=None).order_by("started_at"))


def linked(sender: Sender, to: Sender) -> None:
    sender.spans[0].links.append(OtlpSpan.Link(trace_id=to.trace_id, span_id=to.spans[0].span_id))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_trace_that_links_to_another_is_the_same_run_in_any_order(
    workspace: Workspace, order: tuple[int, int]
) -> None:
    senders = [Sender(workspace), Sender(workspace)]
    for sender in senders:
        refund(sender)
    linked(senders[1], senders[0])

    for place in order:
        senders[place].deliver()
        take(workspace)

    (run,) = live_runs()
    assert (run.spans, run.tokens_in) == (6, 2000)
    assert {row[1]: n for row, n in figures().items()}[Kind.LLM] == (2, 0, 2000)


def test_an_id_that_was_given_out_leads_to_the_run_that_took_its_traces(workspace: Workspace) -> None:
    first, second, bridge = Sender(workspace), Sender(workspace), Sender(workspace)
    for sender in (first, second, bridge):
        refund(sender)
    for sender, names in ((first, "a"), (second, "b")):
        sender.span("step", sender.spans[0].span_id, baton__run__id=names)
        sender.deliver()
        take(workspace)
    assert len(live_runs()) == 2

    bridge.span("step", bridge.spans[0].span_id, baton__run__id="a")
    bridge.span("step", bridge.spans[0].span_id, baton__run__id="b")
    bridge.deliver()
    take(workspace)

    (run,) = live_runs()
    assert run.spans == 13
    assert Run.objects.exclude(merged_into=None).get().merged_into == run.id
    assert sum(row.n for row in SpanMinute.objects.filter(kind=Kind.LLM)) == 3


def test_a_trace_that_too_many_link_to_joins_nothing_and_lets_go_of_what_it_joined(workspace: Workspace) -> None:
    scheduler = Sender(workspace)
    refund(scheduler)
    scheduler.deliver()
    for _ in range(24):
        sender = Sender(workspace)
        refund(sender)
        linked(sender, scheduler)
        sender.deliver()
        take(workspace)

    assert [run.spans for run in live_runs()] == [3] * 25
    assert WorkflowMinute.objects.filter(step_id=0, measure=0).count() > 0
    assert sum(row.n for row in WorkflowMinute.objects.filter(step_id=0, measure=0)) == 25


def paused(workspace: Workspace, conversation: str) -> Sender:
    sender = Sender(workspace)
    root = sender.span(
        "invoke_agent desk", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk",
        gen_ai__conversation__id=conversation,
    )  # fmt: skip
    sender.span("node", root, at=0.9, took=0.05, openinference__span__kind="CHAIN")
    event = sender.spans[-1].events.add(name="exception")
    event.attributes.append(kv("exception.type", "GraphInterrupt"))
    event.attributes.append(kv("exception.message", "(Interrupt(value='approve?'),)"))
    return sender


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_answer_to_a_waiting_run_continues_it_in_any_order(workspace: Workspace, order: tuple[int, int]) -> None:
    before, after = paused(workspace, "c1"), Sender(workspace)
    after.begun = before.begun + 5 * SECOND
    refund(after)
    after.spans[0].attributes.add(key="gen_ai.conversation.id").value.string_value = "c1"
    for place in order:
        (before, after)[place].deliver()
        take(workspace)

    (run,) = live_runs()

    assert run.spans == 5
    assert run.status == RunStatus.COMPLETED


def test_a_finished_conversation_goes_on_with_a_new_run(workspace: Workspace) -> None:
    for i in range(2):
        sender = Sender(workspace)
        sender.begun += i * 5 * SECOND
        refund(sender)
        sender.spans[0].attributes.add(key="gen_ai.conversation.id").value.string_value = "c1"
        sender.deliver()
        take(workspace)

    assert [run.conversation for run in live_runs()] == ["c1", "c1"]


def test_settling_again_changes_nothing(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    take(workspace)
    before = figures(), list(WorkflowMinute.objects.order_by("step_id", "measure").values_list("n", "ms", "b00"))

    Trace.objects.update(due_at="2020-01-01T00:00:00Z")
    settle_all(workspace)

    assert (
        figures(),
        list(WorkflowMinute.objects.order_by("step_id", "measure").values_list("n", "ms", "b00")),
    ) == before


def test_what_was_booked_before_bookings_were_packed_is_taken_back_too(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    take(workspace)
    before, booking = figures(), RunBooking.objects.get()
    plain = packing.unpack(bytes(booking.body), "zstd", 1 << 20)
    RunBooking.objects.update(body=plain)

    Trace.objects.update(due_at="2020-01-01T00:00:00Z")
    settle_all(workspace)

    assert plain.startswith(b"[")
    assert figures() == before


def events(workspace: Workspace, *items: dict[str, Any], key: ApiKey | None = None) -> None:
    deliver(workspace, json.dumps({"events": list(items)}).encode(), len(items), key, Signal.EVENTS)
    take(workspace)


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_run_is_live_from_its_first_event(workspace: Workspace) -> None:
    events(
        workspace, {"type": "run.started", "run": "invoice-7", "workflow": "Invoices", "agent": "robot", "at": at(-5)}
    )

    (run,) = live_runs()

    assert (run.status, run.external_key, len(run.agents)) == (RunStatus.RUNNING, "invoice-7", 1)
    assert Pulse.objects.get().step == "run.started"


def test_events_in_any_order_and_twice_tell_the_same_run(workspace: Workspace) -> None:
    step = {"run": "r", "name": "read", "agent": "robot", "kind": "tool"}
    said = [
        {"type": "run.started", "run": "r", "workflow": "Invoices", "agent": "robot", "at": at(-9)},
        {"type": "step.started", **step, "step": "read-1", "system": "erp", "at": at(-8)},
        {"type": "step.failed", **step, "step": "read-1", "error": "Locked: in use", "at": at(-7)},
        {"type": "step.started", **step, "step": "read-2", "system": "erp", "at": at(-6)},
        {"type": "step.finished", **step, "step": "read-2", "at": at(-5)},
        {"type": "run.finished", "run": "r", "at": at(-4)},
    ]

    for item in [*reversed(said), *said]:
        events(workspace, item)

    (run,) = live_runs()
    assert (run.status, run.duration_ms // 1000, run.spans, run.tool_calls, run.tool_failures) == (
        "completed",
        5,
        3,
        2,
        1,
    )
    assert Step.objects.count() == 3
    assert sorted(n for (agent, kind), n in figures().items() if kind == Kind.TOOL and agent) == [(2, 1, 0)]


def test_spans_that_carry_the_run_of_events_are_told_with_it(workspace: Workspace) -> None:
    events(workspace, {"type": "run.started", "run": "loan-9", "workflow": "Loans", "agent": "robot", "at": at(-20)})
    sender = Sender(workspace)
    refund(sender)
    sender.span("note", sender.spans[0].span_id, baton__run__id="loan-9")
    sender.deliver()
    take(workspace)

    (run,) = live_runs()

    assert (run.external_key, run.spans, run.status) == ("loan-9", 5, RunStatus.RUNNING)


def test_a_heartbeat_keeps_an_agent_alive_and_makes_no_run(workspace: Workspace) -> None:
    events(workspace, {"type": "heartbeat", "agent": "robot", "at": at(-1)})

    assert Pulse.objects.count() == 1
    assert not Run.objects.exists()


def test_a_run_of_which_nothing_is_heard_stalls(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver(*sender.spans[1:])
    take(workspace)
    assert Run.objects.get().status == RunStatus.RUNNING

    assert Run.objects.get().workflow_id == 0
    Trace.objects.update(received_at=datetime.now(UTC) - timedelta(minutes=11))
    Run.objects.update(heard_at=datetime.now(UTC) - timedelta(minutes=11))

    assert settling.sweep_stalled(workspace.pk) == 1
    settle_all(workspace)
    run = Run.objects.get()
    assert run.status == RunStatus.STALLED
    assert Workflow.objects.get(pk=run.workflow_id).name == "shop"
    assert settling.sweep_stalled(workspace.pk) == 0


def test_a_run_survives_that_its_spans_are_forgotten(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    take(workspace)
    with connection.cursor() as cursor:
        cursor.execute("delete from telemetry_span where parent_id is not null")
    Trace.objects.update(due_at="2020-01-01T00:00:00Z")
    settle_all(workspace)

    assert Run.objects.get().spans == 3
    assert not Trace.objects.filter(due_at__isnull=False).exists()


@pytest.mark.parametrize("together", [True, False])
def test_each_environment_of_a_program_has_its_own_agents(workspace: Workspace, together: bool) -> None:
    for environment in ("production", "staging", "production"):
        sender = Sender(workspace, environment=environment)
        refund(sender)
        sender.deliver()
        if not together:
            take(workspace)
    take(workspace)

    agents = {environment: pk for pk, environment in Agent.objects.values_list("pk", "application__environment")}
    assert sorted(agents) == ["production", "staging"]
    assert sorted(run.agents for run in live_runs()) == sorted(
        [[agents["production"]], [agents["staging"]], [agents["production"]]]
    )
    ended = {agent: n for (agent, kind), (n, *_) in figures().items() if kind == Kind.RUN}
    assert ended == {agents["production"]: 2, agents["staging"]: 1}
    calls = {agent: n for (agent, kind), (n, *_) in figures().items() if kind == Kind.LLM}
    assert calls == {agents["production"]: 2, agents["staging"]: 1}


def test_an_agent_that_is_only_spoken_of_is_not_made_and_is_found_where_it_works(workspace: Workspace) -> None:
    def transfer() -> None:
        sender = Sender(workspace)
        turn = sender.span("invoke_agent desk", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk")
        tool = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "transfer_to_billing"}
        sender.span("execute_tool transfer_to_billing", turn, at=0.1, took=0.5, **tool)
        sender.deliver()
        take(workspace)

    transfer()
    assert list(Agent.objects.values_list("name", flat=True)) == ["desk"]

    billing = make.agent(workspace, "Billing", "ledger")
    transfer()
    assert list(Handoff.objects.order_by("at").values_list("to_agent_id", flat=True)) == [0, billing.pk]
    assert Agent.objects.count() == 2
