"""What a worker does around each of its tasks."""

from __future__ import annotations

import psycopg
import pytest
from celery import signals
from django.db import OperationalError, connection

from orchestration.api.pool import parameters
from orchestration.config import celery

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return int(cursor.fetchone()[0])


def between_tasks() -> None:
    signals.task_postrun.send(sender=None)
    signals.task_prerun.send(sender=None)


def test_a_connection_outlives_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    connection.close()
    first = backend()

    between_tasks()

    assert backend() == first
    assert celery.app.conf["CELERY_DB_REUSE_MAX"] > 2**40


def test_a_connection_that_broke_is_replaced_before_the_next_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    connection.close()
    first = backend()
    with psycopg.connect(**parameters(), autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", [first])
    with pytest.raises(OperationalError):
        backend()

    between_tasks()

    assert backend() != first
