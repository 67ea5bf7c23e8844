"""The event stream: quick, for the own workspace only, and nearly free of charge."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client

from dashboard import live
from orchestration.lib import pulse
from orchestration.workspaces.models import User, Workspace
from tests.waiting import allowed, came_true

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def port(served: int) -> int:
    return served


class Stream:
    """One open page's stream, read by a thread of the test."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.request("GET", "/live/", headers={"Cookie": cookie, "Accept-Encoding": "gzip"})
        self._socket = self._connection.sock
        self.answer = self._connection.getresponse()
        self.topics: list[str] = []
        if self.answer.status == 200:
            self.answer.readline()  # hello
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while line := self.answer.readline():
                if line.startswith(b"event: "):
                    self.topics.append(line[7:].decode().strip())
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()


@pytest.fixture
def opened(port: int) -> Iterator[Callable[[User | None], Stream]]:
    streams: list[Stream] = []

    def open_stream(person: User | None) -> Stream:
        client = Client()
        if person:
            client.force_login(person)
        cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
        streams.append(Stream(port, f"{cookie.key}={cookie.value}" if cookie else ""))
        return streams[-1]

    yield open_stream
    for stream in streams:
        stream.close()


def subscribed() -> bool:
    """Whether the application hears Redis, which it does once the first stream is open."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return bool(client.pubsub_numpat())


def test_a_signal_reaches_an_open_page_within_half_a_second(
    opened: Callable[[User | None], Stream], operator: User, workspace: Workspace
) -> None:
    stream = opened(operator)
    assert came_true(subscribed)
    pulse.forget()

    pulse.publish(workspace.pk, "run", {"v": 1})

    assert came_true(lambda: "run" in stream.topics, allowed(0.5))


def test_signals_of_another_workspace_are_not_passed_on(
    opened: Callable[[User | None], Stream], stranger: User, operator: User, workspace: Workspace
) -> None:
    theirs, ours = opened(stranger), opened(operator)
    assert came_true(subscribed)
    theirs.topics.clear()
    pulse.forget()

    pulse.publish(workspace.pk, "agent")

    assert came_true(lambda: "agent" in ours.topics)
    assert "agent" not in theirs.topics


def test_a_stranger_gets_no_stream(opened: Callable[[User | None], Stream], db: None) -> None:
    assert opened(None).answer.status == 401


def test_a_stream_is_neither_compressed_nor_kept(opened: Callable[[User | None], Stream], operator: User) -> None:
    answer = opened(operator).answer

    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Content-Encoding"] is None
    assert answer.headers["Cache-Control"] == "no-store"


def test_thirty_streams_hold_no_thread_and_no_connection(
    opened: Callable[[User | None], Stream], operator: User
) -> None:
    opened(operator)
    time.sleep(0.3)
    threads, connections = threading.active_count(), connections_open()

    for _ in range(30):
        opened(operator)
    readers = 30

    assert came_true(lambda: threading.active_count() - readers <= threads + 1)
    assert came_true(lambda: connections_open() <= connections + 1)


def connections_open() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_stat_activity where datname = current_database()")
        return int(cursor.fetchone()[0])


def test_more_streams_than_bearable_are_sent_away(
    opened: Callable[[User | None], Stream], operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST", 0)

    assert opened(operator).answer.status == 503


def test_pages_that_leave_as_they_are_rung_are_forgotten(
    opened: Callable[[User | None], Stream], operator: User
) -> None:
    """Leaving and a signal may come at the same moment, which is easily made a stream without a reader."""
    opened(operator)
    (loop, broadcaster), *_ = live._broadcasters.items()
    over = threading.Event()

    def ring() -> None:
        while not over.wait(0.002):
            loop.call_soon_threadsafe(broadcaster._look_again)

    ringing = threading.Thread(target=ring)
    ringing.start()
    for _ in range(40):
        opened(operator).close()
    over.set()
    ringing.join()

    assert came_true(lambda: len(broadcaster.listeners) <= 1, 10)


def test_without_redis_pages_are_told_to_look_for_themselves(
    opened: Callable[[User | None], Stream], operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(live, "BLIND_S", 0.2)
    monkeypatch.setattr(live, "_broadcasters", {})  # none that still hears

    stream = opened(operator)

    assert came_true(lambda: {"run", "agent", "load"} <= set(stream.topics))


def test_a_quiet_stream_says_that_nothing_has_changed(
    opened: Callable[[User | None], Stream], operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.2)

    stream = opened(operator)

    assert came_true(lambda: "quiet" in stream.topics)
