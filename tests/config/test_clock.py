"""Celery's beat, lean: when entries come, and what it sends."""

from __future__ import annotations

from collections import Counter
from typing import Any

import kombu
import pytest
from celery.beat import Scheduler

from orchestration.config import clock
from orchestration.config.celery import app
from orchestration.config.clock import Clock
from orchestration.config.schedule import SCHEDULE

OWN = {"id", "root_id", "expires", "celery_beat_task"}
OWN |= {"timelimit", "ignore_result"}  # which a worker knows of its tasks


class Sent(Clock):
    """One that counts what it would send."""

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self.sent: list[str] = []

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        self.sent.append(entry.name)


def tick_until(clock_: Sent, now: list[float], end: float) -> list[int]:
    """How many messages each waking sent."""
    woken = []
    while now[0] < end:
        before, wait = len(clock_.sent), 0.0
        while not wait:
            wait = clock_.tick()
        woken.append(len(clock_.sent) - before)
        now[0] += wait
    return woken


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found = [1000.0]
    monkeypatch.setattr("orchestration.config.clock.monotonic", lambda: found[0])
    return found


def test_each_entry_comes_as_often_as_the_table_says(now: list[float]) -> None:
    sent = Sent(app)

    tick_until(sent, now, 1000.0 + 3600)

    counted = Counter(sent.sent)
    assert {name: counted[name] for name in SCHEDULE} == {
        name: pytest.approx(3600 / entry["schedule"], abs=1) for name, entry in SCHEDULE.items()
    }


def test_it_wakes_at_whole_steps_and_few_entries_come_at_one(now: list[float]) -> None:
    sent = Sent(app)

    woken = tick_until(sent, now, 1000.0 + 60)

    assert len(woken) <= 60 / clock.STEP_S + 2
    assert max(woken) <= 6


def test_what_was_missed_in_a_long_sleep_comes_once(now: list[float]) -> None:
    sent = Sent(app)
    now[0] += 30

    tick_until(sent, now, now[0] + 0.1)

    assert max(Counter(sent.sent).values()) == 1


@pytest.mark.parametrize("name", ["digest", "each second", "replay worker", "signals"])
def test_a_message_is_the_one_that_celerys_own_beat_would_send(name: str) -> None:
    ours, theirs = (sent_by(kind(app), name) for kind in (Clock, Scheduler))

    assert ours.delivery_info == theirs.delivery_info
    assert ours.payload == theirs.payload
    assert {key: value for key, value in ours.headers.items() if key not in OWN} == {
        key: value for key, value in theirs.headers.items() if key not in OWN
    }
    assert ours.headers["id"] == ours.headers["root_id"] == ours.properties["correlation_id"]
    assert ours.headers["expires"][:15] <= theirs.headers["expires"]


def test_no_two_messages_have_one_id() -> None:
    clock_ = Clock(app)

    first, second = (sent_by(clock_, "digest") for _ in range(2))

    assert first.headers["id"] != second.headers["id"]
    assert first.delivery_tag != second.delivery_tag


def sent_by(scheduler: Any, name: str) -> Any:
    """The message of one entry, taken from a broker in memory."""
    connection: Any = kombu.Connection("memory://")
    scheduler.__dict__.setdefault("connection", connection)  # where its own would be kept
    entry = scheduler.schedule[name]
    scheduler.apply_async(entry, producer=scheduler.producer)
    queue = app.amqp.router.route(dict(entry.options), entry.task)["queue"]
    message = queue.bind(connection.default_channel).get(no_ack=True)
    assert message
    return message
