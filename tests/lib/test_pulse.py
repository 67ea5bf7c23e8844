"""Signals: quick, few, and never in the way."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import redis
from django.conf import settings
from django.test import override_settings

from orchestration.lib import pulse
from tests.waiting import LONG_S, allowed

WORKSPACE = 7_000_000 + secrets.randbelow(1_000_000)


@pytest.fixture
def heard(engines: None) -> Iterator[Any]:
    """What comes on the channel: so many as there should be, and any that come soon after."""
    pulse.forget()
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(pulse.channel(WORKSPACE))
        channel.get_message(timeout=LONG_S)

        def come(count: int) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            while message := channel.get_message(timeout=LONG_S if len(found) < count else 0.3):
                found.append(orjson.loads(message["data"]))
            return found

        yield come


def test_a_signal_is_heard_at_once(heard: Any) -> None:
    pulse.publish(WORKSPACE, "run", {"spans": 3})

    assert heard(1) == [{"topic": "run", "spans": 3}]


def test_a_burst_is_one_signal_at_its_begin_and_one_with_its_last_word(heard: Any) -> None:
    for n in range(20):
        pulse.publish(WORKSPACE, "run", {"v": n})

    assert [each["v"] for each in heard(2)] == [0, 19]


def test_topics_do_not_wait_for_each_other(heard: Any) -> None:
    pulse.publish(WORKSPACE, "run")
    pulse.publish(WORKSPACE, "agent")

    assert {each["topic"] for each in heard(2)} == {"run", "agent"}


@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
def test_without_redis_a_signal_is_lost_quickly_and_silently() -> None:
    pulse.forget()
    begun = time.monotonic()

    for n in range(50):
        pulse.publish(WORKSPACE + n, "run")

    pulse.forget()
    assert time.monotonic() - begun < allowed(1)
