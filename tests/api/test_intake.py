from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection
from pytest_django import Settings

from orchestration.api.pool import parameters
from orchestration.telemetry.models import Delivery, Refusal, Signal
from orchestration.workspaces.keys import Limit, create_key, limit_together
from orchestration.workspaces.models import KeyDay, Workspace
from tests.api.door import Door, good
from tests.waiting import allowed, came_true


def waiting(workspace: Workspace, items: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into telemetry_delivery (workspace_id, id, signal, encoding, compression, items, body) "
            "values (%s, gen_random_uuid(), %s, 'json', '', %s, '')",
            [workspace.pk, Signal.TRACES, items],
        )


@contextmanager
def locked() -> Iterator[None]:
    """Somebody holds the table of deliveries."""
    with psycopg.connect(**parameters()) as other:
        other.execute("lock table telemetry_delivery in access exclusive mode")
        yield
        other.rollback()


def test_too_much_waiting_sends_clients_away_for_a_second(door: Door, tenant: Workspace, settings: Settings) -> None:
    settings.INGEST_BACKLOG = 100
    waiting(tenant, 101)

    assert came_true(lambda: door.traces(good()).status == 503)
    reply = door.traces(good())
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")

    Delivery.objects.all().delete()
    assert came_true(lambda: door.traces(good()).status == 200)


def test_a_noisy_workspace_shuts_the_door_for_itself_alone(door: Door, tenant: Workspace, settings: Settings) -> None:
    settings.INGEST_BACKLOG = 1000
    quiet = Workspace.objects.create(slug=f"quiet-{tenant.slug}", name="Quiet")
    other = Door(door.port, create_key(quiet, "test", ["ingest"])[1])
    waiting(tenant, 1100)

    assert came_true(lambda: door.traces(good()).status == 503)
    assert other.traces(good(10)).status == 200

    waiting(tenant, 1000)
    assert came_true(lambda: other.traces(good()).status == 503)


def test_what_is_poisoned_waits_for_nothing(door: Door, tenant: Workspace, settings: Settings) -> None:
    settings.INGEST_BACKLOG = 100
    waiting(tenant, 101)
    Delivery.objects.update(poisoned_at=datetime.now(UTC))
    time.sleep(0.3)

    assert door.traces(good()).status == 200


def test_a_locked_table_is_a_503_in_time_and_heals(door: Door) -> None:
    with locked():
        began = time.monotonic()
        reply = door.traces(good())
        took = time.monotonic() - began
        assert (reply.status, "retry-after" in reply.headers) == (503, True)
        assert took < allowed(3.5)

        with ThreadPoolExecutor(8) as pool:
            began = time.monotonic()
            assert {reply.status for reply in pool.map(lambda _: door.traces(good()), range(16))} == {503}
            assert time.monotonic() - began < allowed(8)

    assert came_true(lambda: door.traces(good()).status == 200)


def test_connections_that_were_cut_are_replaced_unnoticed(door: Door) -> None:
    door.traces(good())

    with connection.cursor() as cursor:
        cursor.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where usename = current_user and pid <> pg_backend_pid()"
        )

    assert door.traces(good()).status == 200


def test_a_database_that_is_away_is_a_503(door: Door) -> None:
    """New connections are refused and the old ones cut, as when the server is down."""
    name = connection.settings_dict["NAME"]
    stop = threading.Event()

    def keep_cutting() -> None:
        with psycopg.connect(**parameters() | {"dbname": "postgres"}, autocommit=True) as other:
            other.execute(f"alter database {name} allow_connections false")
            try:
                while not stop.wait(0.05):  # the server's own, such as autovacuum's, are nobody's to cut
                    other.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity "
                        "where datname = %s and usename = current_user",
                        [name],
                    )
            finally:
                other.execute(f"alter database {name} allow_connections true")

    connection.close()
    cutter = threading.Thread(target=keep_cutting)
    cutter.start()
    try:
        time.sleep(1)
        began = time.monotonic()
        reply = door.traces(good())
        took = time.monotonic() - began
    finally:
        stop.set()
        cutter.join()

    assert (reply.status, "retry-after" in reply.headers) == (503, True)
    assert took < allowed(3.5)
    assert came_true(lambda: door.traces(good()).status == 200)


def test_refusals_are_counted_for_the_health_page(door: Door, tenant: Workspace) -> None:
    door.send("/v1/traces", b"\xff")
    Door(door.port).traces(good())

    def counted() -> bool:
        found = set(Refusal.objects.values_list("workspace_id", "reason"))
        return {(tenant.pk, "undecodable"), (0, "unauthorized")} <= found

    assert came_true(counted)


def test_a_key_over_its_rate_is_told_to_wait(door: Door, tenant: Workspace) -> None:
    key, plain = create_key(tenant, "slow", ["ingest"])
    type(key).objects.filter(pk=key.pk).update(spans_per_second=10)
    slow = Door(door.port, plain)

    assert slow.traces(good(60)).status == 200
    reply = slow.traces(good(1))

    assert reply.status == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert door.traces(good()).status == 200


def test_keys_of_a_workspace_share_its_rate(door: Door, tenant: Workspace) -> None:
    limit_together(tenant, Limit(spans_per_second=10))
    keys = [Door(door.port, create_key(tenant, f"key {n}", ["ingest"])[1]) for n in range(2)]

    assert keys[0].traces(good(60)).status == 200
    reply = keys[1].traces(good(1))

    assert (reply.status, b"This workspace may send 10 spans a second" in reply.body) == (429, True)


def test_keys_of_a_workspace_share_its_day(door: Door, tenant: Workspace) -> None:
    limit_together(tenant, Limit(bytes_per_day=5000))
    keys = [Door(door.port, create_key(tenant, f"key {n}", ["ingest"])[1]) for n in range(2)]
    booked, _ = create_key(tenant, "of another process", ["ingest"])

    assert keys[0].traces(good(3)).status == 200
    KeyDay.objects.create(key=booked, day=datetime.now(UTC).date(), items=1, size=5000)

    assert came_true(lambda: keys[0].traces(good(1)).status == 429)
    assert keys[1].traces(good(1)).status == 429


def test_a_key_over_its_day_is_told_to_wait(door: Door, tenant: Workspace) -> None:
    key, plain = create_key(tenant, "small", ["ingest"])
    type(key).objects.filter(pk=key.pk).update(bytes_per_day=1000)
    KeyDay.objects.create(key=key, day=datetime.now(UTC).date() - timedelta(days=1), items=1, size=10**9)
    small = Door(door.port, plain)

    assert small.traces(good(30)).status == 200
    assert small.traces(good(1)).status == 429
    assert came_true(lambda: KeyDay.objects.filter(key=key, items=30).exists())


@pytest.mark.parametrize("parts", [1, 3])
def test_a_client_that_goes_away_leaves_nothing(door: Door, parts: int) -> None:
    with socket.create_connection(("127.0.0.1", door.port)) as client:
        client.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 100000\r\nAuthorization: Bearer " + door.key.encode() + b"\r\n\r\n" + b"x" * 10 * parts
        )
        time.sleep(0.2)

    assert door.traces(good()).status == 200
    assert Delivery.objects.count() == 1
