"""Whatever a key sends that the door lets in: it is stored, within bounds, and nobody else's data waits for it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from orchestration.control import digest
from orchestration.registry import resolve
from orchestration.registry.models import Agent, System
from orchestration.telemetry import deliveries, retention
from orchestration.telemetry.models import Delivery, Span
from orchestration.workflows.models import Run
from orchestration.workspaces.models import Workspace
from tests.control.test_digest import Sender, refund, settle_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


def sent(workspace: Workspace, **attributes: AnyValue) -> Span:
    sender = Sender(workspace)
    sender.span("chat", gen_ai__operation__name="chat", gen_ai__response__model="unpriced")
    for key, value in attributes.items():
        sender.spans[0].attributes.add(key=key.replace("__", "."), value=value)
    sender.deliver()
    digest.digest(workspace.pk)
    assert not Delivery.objects.exists()
    return Span.objects.get()


def test_a_count_that_no_column_holds_is_none(workspace: Workspace) -> None:
    span = sent(
        workspace,
        gen_ai__usage__input_tokens=AnyValue(int_value=2**31),
        gen_ai__usage__output_tokens=AnyValue(double_value=2.0**40),
    )

    assert (span.tokens_in, span.tokens_out) == (0, 0)


@pytest.mark.parametrize("cost", [1e308, 1e12])
def test_a_cost_that_no_column_holds_is_unknown(workspace: Workspace, cost: float) -> None:
    assert sent(workspace, gen_ai__usage__cost=AnyValue(double_value=cost)).cost is None


def test_a_name_in_bytes_may_hold_anything(workspace: Workspace) -> None:
    assert sent(workspace, baton__run__id=AnyValue(bytes_value=b"\xff\0")).name == "chat"


def test_a_span_that_ends_before_it_begins_is_in_its_run(workspace: Workspace) -> None:
    sender = Sender(workspace)
    refund(sender)
    for span in sender.spans:
        span.end_time_unix_nano = span.start_time_unix_nano - 7_000_000_000
    sender.deliver()

    digest.digest(workspace.pk)
    settle_all(workspace)

    assert Run.objects.get().spans == 3


def test_names_are_bounded_by_what_is_stored_whatever_this_process_remembers(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "MOST_NAMES", 3)
    for number in range(5):
        resolve.forget()  # as after a restart
        sender = Sender(workspace)
        sender.span("go", gen_ai__operation__name="invoke_agent", gen_ai__agent__name=f"agent {number}")
        sender.span("use", gen_ai__operation__name="execute_tool", gen_ai__tool__name=f"tool {number}")
        sender.deliver()
        digest.digest(workspace.pk)

    assert (Agent.objects.count(), System.objects.count()) == (3, 3)
    assert Span.objects.count() == 10


def test_large_bodies_are_taken_few_at_a_time(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        sender = Sender(workspace)
        refund(sender)
        sender.deliver()
    size = len(bytes(Delivery.objects.values_list("body", flat=True)[0]))

    monkeypatch.setattr(deliveries, "BATCH_BYTES", 3 * size)
    assert 2 <= len(deliveries_claimed(workspace)) < 4
    monkeypatch.setattr(deliveries, "BATCH_BYTES", 1)
    assert len(deliveries_claimed(workspace)) == 1
    monkeypatch.undo()
    monkeypatch.setattr(digest, "BATCH_UNPACKED", 1)
    digest.digest(workspace.pk)
    assert (Span.objects.count(), Delivery.objects.filter(attempts=0).count()) == (3, 3)


def test_a_claim_leaves_to_others_what_does_not_fit_its_batch(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        sender = Sender(workspace)
        refund(sender)
        sender.deliver()
    monkeypatch.setattr(deliveries, "BATCH_ITEMS", 7)

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        mine = deliveries.claim(workspace.pk)
        others = pool.submit(claimed_and_closed, workspace).result()

    assert (len(mine), len(others)) == (2, 2)
    assert not {delivery.id for delivery in mine} & {delivery.id for delivery in others}


def test_in_a_burst_what_came_just_now_is_left_for_later(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the rest of its traces may come, and they are told when they are stored."""
    senders = [Sender(workspace) for _ in range(3)]
    for sender in senders:
        refund(sender)
    ids = [sender.deliver() for sender in senders]
    now = timezone.now()
    Delivery.objects.filter(id=ids[0]).update(received_at=now - timedelta(seconds=1))
    Delivery.objects.filter(id__in=ids[1:]).update(received_at=now + timedelta(seconds=60))

    assert len(deliveries_claimed(workspace)) == 3

    monkeypatch.setattr(deliveries, "RESTED_ITEMS", Delivery.objects.get(id=ids[0]).items)
    assert [delivery.id for delivery in deliveries_claimed(workspace)] == ids[:1]
    Delivery.objects.filter(id=ids[0]).delete()
    assert [delivery.id for delivery in deliveries_claimed(workspace)] == ids[1:]


def claimed_and_closed(workspace: Workspace) -> list[Any]:
    """For a thread, whose connection is its own."""
    try:
        return deliveries_claimed(workspace)
    finally:
        connection.close()


def deliveries_claimed(workspace: Workspace) -> list[Any]:
    with transaction.atomic():
        return deliveries.claim(workspace.pk)


def test_a_suspect_is_tried_also_while_the_queue_never_empties(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Sender(workspace)
    refund(old)
    Delivery.objects.filter(id=old.deliver()).update(received_at=timezone.now() - timedelta(seconds=150))
    claim = deliveries.claim

    def fed(workspace_id: int) -> list[Any]:
        sender = Sender(workspace)
        refund(sender)
        sender.deliver()
        time.sleep(0.05)
        return claim(workspace_id)

    monkeypatch.setattr(deliveries, "claim", fed)
    digest.drain(1.5)

    assert Span.objects.filter(trace_id=old.trace_id).count() == 3


def test_a_day_that_was_dropped_is_made_again_for_what_still_comes_in_it(workspace: Workspace) -> None:
    sender = Sender(workspace)
    sender.begun -= 25 * 86_400 * 1_000_000_000
    refund(sender)
    sender.deliver(*sender.spans[:1])
    digest.digest(workspace.pk)
    Workspace.objects.update(span_days=7)
    retention.drop_old(timezone.now().date() + timedelta(days=20))
    Workspace.objects.update(span_days=30)

    sender.deliver(*sender.spans[1:])
    for _ in range(3):
        digest.digest(workspace.pk)

    assert Span.objects.count() == 2
    assert not Delivery.objects.exists()
