from __future__ import annotations

import psycopg
import pytest
import redis
from django.test import Client
from pytest_django import Settings

from orchestration.api import health
from orchestration.api.refusals import unavailable
from orchestration.workspaces.models import Workspace
from tests.api.door import Door, good, request, span
from tests.api.test_intake import waiting


def fresh() -> None:
    health._dependencies.until = 0.0


def test_the_process_is_alive_without_a_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_what_baton_stands_on_is_named(client: Client, tenant: Workspace) -> None:
    fresh()

    reply = client.get("/readyz")

    assert (reply.status_code, reply.json()) == (
        200,
        {"status": "ok", "database": "ok", "broker": "ok", "backlog": "ok"},
    )


def test_a_broker_that_is_away_is_named(client: Client, tenant: Workspace, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    fresh()

    reply = client.get("/readyz")

    assert reply.status_code == 503
    assert reply.json()["broker"] == f"does not answer ({redis.ConnectionError.__name__})"
    assert reply.json()["database"] == "ok"


def test_once_somebody_was_told_that_the_database_is_away_nobody_is_told_that_all_is_well(
    client: Client, tenant: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh()
    assert client.get("/readyz").status_code == 200

    monkeypatch.setattr(health, "parameters", lambda: {"host": "127.0.0.1", "port": 1})
    unavailable()
    reply = client.get("/readyz")

    assert (reply.status_code, reply["Retry-After"]) == (503, "2")
    assert reply.json() == {
        "status": "not ready",
        "database": f"does not answer ({psycopg.OperationalError.__name__})",
        "broker": "ok",
        "backlog": "unknown",
    }


def test_too_much_waiting_is_not_ready(client: Client, tenant: Workspace, settings: Settings) -> None:
    settings.INGEST_BACKLOG = 5
    waiting(tenant, 6)
    fresh()

    reply = client.get("/readyz")

    assert (reply.status_code, reply.json()["backlog"]) == (503, "6 items wait")


def test_figures_tell_what_came_in_and_none_of_its_content(door: Door) -> None:
    door.traces(good(3))
    door.traces(request(span(1, start_ns=1), span(2, secret_word="xyzzy-content")))

    figures = door.send("/metrics", method="GET").body.decode()

    assert 'baton_ingest_requests_total{signal="traces",status="200"}' in figures
    assert 'baton_ingest_rejected_total{reason="too_old",signal="traces"}' in figures
    assert "process_resident_memory_bytes" in figures
    assert "baton_backlog_items" in figures
    assert not {"xyzzy", "step 1", door.key, "default"} & set(figures.replace('"', " ").split())
    assert "xyzzy" not in figures
