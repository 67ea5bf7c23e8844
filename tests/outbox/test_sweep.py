"""What becomes of messages."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from orchestration.outbox import endpoints, send, sweep, webhooks
from orchestration.outbox.models import Endpoint, Message, State
from orchestration.outbox.webhooks import Outcome
from orchestration.workspaces.models import User, Workspace
from tests.outbox.receiver import Receiver

pytestmark = pytest.mark.django_db


def tell(endpoint: Endpoint, subject: str = "h-1", event: str = "hold.applied") -> int:
    return send.announce(endpoint.workspace_id, event, subject, {"id": subject})


def make_due() -> None:
    Message.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_an_event_is_told_once_to_whoever_asked_for_it(endpoint: Endpoint, receiver: Receiver) -> None:
    assert [tell(endpoint), tell(endpoint), tell(endpoint, event="decision.made")] == [1, 0, 0]

    assert [sweep.deliver(), sweep.deliver()] == [1, 0]

    message = Message.objects.get()
    assert len(receiver.got) == 1
    assert (message.state, message.status, message.attempts) == (State.DONE, 200, 1)


def test_what_happens_elsewhere_is_told_to_nobody_here(endpoint: Endpoint) -> None:
    other = Workspace.objects.create(slug="other", name="Other")

    assert send.announce(other.pk, "hold.applied", "h-1", {}) == 0


def test_a_refused_message_waits_longer_each_time_and_ends_as_dead(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.answer = lambda got: (500, {}, b"")
    tell(endpoint)
    waits = []

    for _ in range(len(sweep.PAUSES_S) + 1):
        make_due()
        sweep.deliver()
        message = Message.objects.get()
        waits.append((message.due_at - timezone.now()).total_seconds())

    assert waits[:-1] == sorted(waits[:-1])
    assert 0.8 * 24 <= sum(waits[:-1]) / 3600 <= 1.2 * 24 + 1
    assert (message.state, message.status, message.error) == (State.DEAD, 500, "Answered 500.")


def test_a_dead_message_is_sent_again_when_somebody_asks(endpoint: Endpoint, receiver: Receiver) -> None:
    tell(endpoint)
    Message.objects.update(state=State.DEAD, attempts=12, ended_at=timezone.now())

    assert sweep.retry(endpoint.workspace_id) == 1
    sweep.deliver()

    assert Message.objects.get().state == State.DONE
    assert sweep.retry(endpoint.workspace_id, Message.objects.get().pk) == 0


def test_who_lost_the_lease_writes_nothing(endpoint: Endpoint) -> None:
    tell(endpoint)
    (first,) = sweep._claim(sweep._DUE, [])
    assert sweep._claim(sweep._DUE, []) == []
    make_due()  # the first one was killed, or is very slow
    (second,) = sweep._claim(sweep._DUE, [])

    sweep._finish(first, Outcome(200))
    assert Message.objects.get().state == State.CLAIMED
    sweep._finish(second, Outcome(None, "No connection."))

    assert Message.objects.get().state == State.FAILED
    assert second.fence == first.fence + 1


def test_a_courier_that_died_is_given_up_within_half_a_minute_and_none_that_waits_for_answers(
    endpoint: Endpoint, receiver: Receiver
) -> None:
    tell(endpoint)
    sweep._claim(sweep._DUE, [])  # and dies
    claimed = Message.objects.get()
    assert claimed.due_at - timezone.now() <= timedelta(seconds=30)
    assert -(-sweep.AT_ONCE // sweep.THREADS) * webhooks.LIMIT_S < sweep.LEASE_S

    Message.objects.update(due_at=claimed.due_at - timedelta(seconds=sweep.LEASE_S))

    assert (sweep.deliver(), len(receiver.got)) == (1, 1)


def test_a_slow_endpoint_takes_few_of_a_claim(endpoint: Endpoint, admin: User, receiver: Receiver) -> None:
    other = endpoints.add(endpoint.workspace, receiver.url, ["decision.made"], admin)[0]
    for n in range(20):
        tell(endpoint, f"h-{n}")
    tell(other, "d-1", "decision.made")

    claimed = sweep._claim(sweep._DUE, [])

    assert sorted(each.letter.event for each in claimed) == ["decision.made", *["hold.applied"] * sweep.OF_ONE]


@pytest.mark.django_db(transaction=True)
def test_two_couriers_at_once_send_each_message_once(endpoint: Endpoint, receiver: Receiver) -> None:
    for n in range(30):
        tell(endpoint, f"h-{n}")

    def work() -> None:
        sweep.deliver()
        connection.close()

    couriers = [threading.Thread(target=work) for _ in range(3)]
    for courier in couriers:
        courier.start()
    for courier in couriers:
        courier.join()

    assert len(receiver.got) == len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 30


def test_a_rotated_secret_signs_beside_the_old_one_for_a_while(
    endpoint: Endpoint, admin: User, receiver: Receiver
) -> None:
    endpoints.rotate(endpoint, admin, timedelta(hours=1), "form")
    tell(endpoint, "h-1")
    sweep.deliver()
    Endpoint.objects.update(former_until=timezone.now())
    tell(endpoint, "h-2")
    sweep.deliver()

    assert [headers["webhook-signature"].count("v1,") for _, headers, _ in receiver.got] == [2, 1]


def test_a_second_press_shows_the_same_secret_and_nobody_else_any(
    endpoint: Endpoint, admin: User, operator: User
) -> None:
    endpoints.rotate(endpoint, admin, timedelta(hours=1), "form")
    once = endpoints.shown(endpoint, admin, "form")
    salt = endpoint.salt

    assert endpoints.rotate(endpoint, admin, timedelta(hours=1), "form").salt == salt
    assert endpoints.shown(endpoint, admin, "form") == once
    assert once.startswith("whsec_")
    assert (endpoints.shown(endpoint, operator, "form"), endpoints.shown(endpoint, admin, "other")) == ("", "")


def test_with_another_secret_of_baton_nothing_is_signed_wrongly(
    endpoint: Endpoint, receiver: Receiver, settings: object
) -> None:
    tell(endpoint)
    settings.SECRET_KEY = "another one, after a move without it, of fifty signs"  # type: ignore[attr-defined]

    sweep.deliver()

    assert receiver.got == []
    assert "secret was lost" in Message.objects.get().error


def test_old_messages_are_forgotten(endpoint: Endpoint) -> None:
    tell(endpoint, "new")
    tell(endpoint, "old")
    Message.objects.filter(key="hold.applied old").update(state=State.DONE, ended_at=timezone.now() - timedelta(days=8))

    assert sweep.forget_old() == 1
