"""A broker that breaks or hangs, and the web application that does not wait for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import kombu
import pytest
import redis
from kombu.exceptions import OperationalError
from pytest_django import Settings

from orchestration.config import asgi, broker, engines
from orchestration.config.addresses import broker_address
from orchestration.config.celery import app
from orchestration.config.clock import Clock
from orchestration.config.processes import wait_for
from orchestration.config.state import State
from orchestration.config.valkey import Valkey
from tests.waiting import allowed


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """One of the test's own, to be stopped and killed."""
    folder = Path(tempfile.mkdtemp(prefix="baton-valkey-"))
    folder.chmod(0o711)
    engine = Valkey(State(folder))
    engines.start([engine])
    yield engine
    signalled(engine, signal.SIGCONT)
    engines.stop(engine)
    shutil.rmtree(folder)


def signalled(engine: Valkey, number: signal.Signals) -> None:
    if process := engine.running():
        os.kill(process.pid, number)


def connect(engine: Valkey, **options: Any) -> Any:
    return kombu.Connection(broker_address(engine.url), transport_options=options)


def test_a_failed_acknowledgement_does_not_fill_the_list_of_deliveries(valkey: Valkey) -> None:
    with connect(valkey) as connection:
        queue = connection.SimpleQueue("work")
        queue.put({"look": 1})
        queue.consumer.qos(prefetch_count=1)
        message = queue.get(timeout=20)
        taken = message.channel.qos
        assert not taken.can_consume()
        signalled(valkey, signal.SIGKILL)

        with pytest.raises(redis.RedisError):
            message.ack()

        assert taken.can_consume()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_publishing_to_a_broker_that_is_away_or_hangs_fails_soon(valkey: Valkey, number: signal.Signals) -> None:
    with connect(valkey, **asgi.HASTE) as connection:
        producer = connection.Producer()
        producer.publish({}, routing_key="digest", retry=False)
        signalled(valkey, number)

        for _ in range(3):
            begun = time.monotonic()
            with pytest.raises((OperationalError, redis.RedisError)):
                producer.publish({}, routing_key="digest", retry=False)
            assert time.monotonic() - begun < allowed(0.5)


def test_whether_the_broker_answers(valkey: Valkey, settings: Settings) -> None:
    settings.REDIS_URL = valkey.url
    assert broker.answers()

    signalled(valkey, signal.SIGSTOP)

    assert not broker.answers()


def test_the_web_application_sets_its_haste_and_wakes_its_doors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments, sent = [], []

    class Door:
        @staticmethod
        async def startup() -> None:
            moments.append("woken")

        @staticmethod
        async def shutdown() -> None:
            moments.append("ended")

    async def receive() -> MutableMapping[str, Any]:
        return {}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    monkeypatch.setattr(asgi, "DOORS", (Door, object()))
    before = app.conf.broker_transport_options
    asyncio.run(asgi.application({"type": "lifespan"}, receive, send))
    hastened, app.conf.broker_transport_options = app.conf.broker_transport_options, before

    assert hastened == before | asgi.HASTE
    assert moments == ["woken", "ended"]
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_telemetry_does_not_pass_through_django() -> None:
    assert asgi.choose("/v1/traces") is not asgi.pages
    assert asgi.choose("/api/v1/events") is not asgi.pages
    assert asgi.choose("/runs/") is asgi.pages


def test_the_clock_goes_on_when_its_broker_is_back(valkey: Valkey) -> None:
    clock = Clock(app)
    clock.__dict__["connection"] = connect(valkey)
    entry = clock.schedule["digest"]
    clock.apply_entry(entry)
    signalled(valkey, signal.SIGKILL)
    assert wait_for(lambda: not valkey.running(), 20)
    clock.apply_entry(entry)
    engines.start([valkey])

    clock.apply_entry(entry)

    with redis.Redis.from_url(valkey.url) as client:
        assert client.llen("digest") == 1
