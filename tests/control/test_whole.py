"""Traces that came whole in a burst are told in the transaction that stores them, just as settling would tell them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from orchestration.control import digest
from orchestration.control.settling import WHOLE_LOCK
from orchestration.handoffs.models import Handoff, PairHour
from orchestration.telemetry.models import Delivery, SpanMinute
from orchestration.workflows.models import Run, RunBooking, Trace, WorkflowMinute
from orchestration.workspaces.models import Workspace
from tests.control.test_digest import Sender, figures, refund, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


def digest_late(workspace: Workspace) -> None:
    """Digest what waits as in a burst: it has waited for a second."""
    with connection.cursor() as cursor:
        cursor.execute("update telemetry_delivery set received_at = received_at - interval '1 second'")
    while digest.digest(workspace.pk):
        pass


def told_at_once(sender: Sender) -> bool:
    trace = Trace.objects.get(trace_id=sender.trace_id)
    return trace.due_at is None and trace.run_id is not None and trace.settled_spans == trace.spans


def all_told() -> dict[str, list[dict[str, Any]]]:
    """Whatever telling a run writes, without what is made anew each time."""
    left_out = ("id", "run_id", "heard_at", "body")
    found = {}
    for model in (Run, Handoff, PairHour, RunBooking, SpanMinute, WorkflowMinute):
        rows = [{k: v for k, v in row.items() if k not in left_out and v != 0} for row in model.objects.values()]
        found[model.__name__] = sorted((row for row in rows if len(row) > 8 or model is not SpanMinute), key=repr)
    return found


def test_a_trace_that_came_whole_is_told_at_once_as_settling_tells_it(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.span("execute_tool pay", sender.spans[0].span_id, at=4, error="no", gen_ai__operation__name="execute_tool")
    sender.deliver()
    digest_late(workspace)
    at_once, seen = all_told(), figures()
    assert told_at_once(sender)
    for model in (Run, Handoff, PairHour, RunBooking, SpanMinute, WorkflowMinute, Trace):
        model.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("delete from telemetry_span")

    sender.deliver()
    digest.digest(workspace.pk)
    assert not told_at_once(sender)
    settle_all(workspace)

    assert figures() == seen
    assert {name: rows for name, rows in all_told().items() if name != "SpanMinute"} == {
        name: rows for name, rows in at_once.items() if name != "SpanMinute"
    }


def test_a_trace_of_which_something_came_just_now_is_not_told_beside_older_ones(workspace: Workspace) -> None:
    old, young = Sender(workspace), Sender(workspace)
    for sender in (old, young):
        refund(sender)
        sender.deliver()
    first = Delivery.objects.order_by("id").first()
    assert first
    Delivery.objects.filter(id=first.id).update(received_at=first.received_at - timedelta(seconds=1))

    digest.digest(workspace.pk)

    assert (told_at_once(old), told_at_once(young)) == (True, False)


def test_settling_again_what_was_told_at_once_changes_nothing(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    digest_late(workspace)
    before, run = figures(), Run.objects.get()

    Trace.objects.update(due_at="2020-01-01T00:00:00Z")
    settle_all(workspace)

    assert figures() == before
    again = Run.objects.get()
    assert (again.id, again.spans, again.late, again.revision) == (run.id, run.spans, False, 2)


def test_a_repeat_of_what_was_told_at_once_changes_nothing(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    digest_late(workspace)
    before = figures()

    sender.deliver()
    sender.deliver()
    digest_late(workspace)

    assert figures() == before
    assert Run.objects.get().revision == 1


def test_spans_that_come_after_a_run_was_told_at_once_are_told_with_it(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    digest_late(workspace)

    sender.span("execute_tool late", sender.spans[0].span_id, at=3, gen_ai__operation__name="execute_tool")
    sender.deliver(sender.spans[-1])
    digest_late(workspace)
    settle_all(workspace)

    assert (Run.objects.get().spans, Run.objects.get().late) == (4, True)


def without_parent(sender: Sender) -> None:
    sender.span("execute_tool lost", b"12345678", at=1, gen_ai__operation__name="execute_tool")


def without_root(sender: Sender) -> None:
    del sender.spans[0]


def in_a_conversation(sender: Sender) -> None:
    sender.span("chat", sender.spans[0].span_id, gen_ai__operation__name="chat", gen_ai__conversation__id="c1")


def of_a_named_run(sender: Sender) -> None:
    sender.span("chat", sender.spans[0].span_id, gen_ai__operation__name="chat", baton__run__id="case 7")


def asking_a_person(sender: Sender) -> None:
    sender.span(
        "execute_tool escalate_to_human",
        sender.spans[0].span_id,
        at=4.9,
        gen_ai__operation__name="execute_tool",
        gen_ai__tool__name="escalate_to_human",
    )


@pytest.mark.parametrize("change", [without_parent, without_root, in_a_conversation, of_a_named_run, asking_a_person])
def test_what_may_be_only_a_part_is_left_to_settling(workspace: Workspace, change: Callable[[Sender], None]) -> None:
    sender = Sender(workspace)
    refund(sender)
    change(sender)
    sender.deliver()

    digest_late(workspace)
    assert not told_at_once(sender)

    settle_all(workspace)
    assert Run.objects.count() == 1


def test_a_trace_of_which_something_came_before_is_left_to_settling(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver(sender.spans[1])
    digest.digest(workspace.pk)
    sender.deliver(*sender.spans[::2])

    digest_late(workspace)
    assert not told_at_once(sender)

    settle_all(workspace)
    assert Run.objects.get().spans == 3


@pytest.mark.parametrize("first", [0, 1])
def test_a_trace_and_one_that_links_to_it_are_one_run_whichever_comes_first(workspace: Workspace, first: int) -> None:
    senders = [Sender(workspace), Sender(workspace)]
    for sender in senders:
        refund(sender)
    link = OtlpSpan.Link(trace_id=senders[0].trace_id, span_id=senders[0].spans[0].span_id)
    senders[1].spans[0].links.append(link)

    for place in (first, 1 - first):
        senders[place].deliver()
        digest_late(workspace)
    settle_all(workspace)

    assert Run.objects.filter(merged_into=None).get().spans == 6


def test_nothing_is_told_at_once_while_somebody_settles_what_ties_traces(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    sender.deliver()
    settings = connection.get_connection_params()
    plain = {key: value for key, value in settings.items() if key in ("host", "port", "dbname", "user", "password")}

    with psycopg.connect(**plain) as other, other.transaction():
        other.execute("select pg_advisory_xact_lock(%s, %s)", [WHOLE_LOCK, workspace.pk])
        digest_late(workspace)

    assert Delivery.objects.count() == 0
    assert not told_at_once(sender)
