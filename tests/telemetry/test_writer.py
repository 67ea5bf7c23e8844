from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from orchestration.telemetry import retention, writer
from orchestration.telemetry.models import Span
from orchestration.telemetry.reading import raw_cursor, spans_of

pytestmark = pytest.mark.django_db(transaction=True)
NOW = int(time.time()) * 1_000_000 - writer.EPOCH_US


@pytest.fixture(autouse=True)
def days(db: None) -> None:
    today = datetime.now(UTC).date()
    retention.ensure_partitions(today - timedelta(days=2), today + timedelta(days=1))


def row(started: int = NOW, trace: bytes = b"t" * 16, span: bytes | None = None, **values: Any) -> writer.Row:
    given = dict(  # noqa: C408
        workspace_id=1, started_at=started, trace_id=trace, span_id=span or os.urandom(8), parent_id=None,
        ended_at=started + 5, application_id=1, agent_id=0, system_id=0, kind=0, outcome=0, claimed=False, name="n",
        subject="", workflow=None, conversation=None, tokens_in=0, tokens_out=0, cost=None, error=None, hints=None,
        attrs=b"\x01{}",
    )  # fmt: skip
    return tuple((given | values)[name] for name, _ in writer.COLUMNS)


def store(rows: list[writer.Row]) -> list[writer.Row]:
    with transaction.atomic(), raw_cursor() as cursor:
        return writer.store(cursor, sorted(rows, key=writer.key_of))


def test_new_rows_are_all_told_as_new() -> None:
    rows = [row() for _ in range(5)]

    assert len(store(rows)) == 5
    assert Span.objects.filter(workspace_id=1).count() == 5


def test_a_repeat_is_not_stored_again_and_its_neighbours_are() -> None:
    first = [row() for _ in range(3)]
    store(first)

    fresh = [row() for _ in range(2)]
    new = store(first + fresh)

    assert {writer.key_of(r) for r in new} == {writer.key_of(r) for r in fresh}
    assert Span.objects.filter(workspace_id=1).count() == 5


def test_the_same_ids_with_another_start_are_another_row() -> None:
    store([row(span=b"a" * 8)])

    assert len(store([row(started=NOW + 1, span=b"a" * 8)])) == 1


def test_two_workspaces_may_use_the_same_ids() -> None:
    store([row(span=b"a" * 8)])

    assert len(store([row(span=b"a" * 8, workspace_id=2)])) == 1


def test_spans_are_read_back_with_the_microseconds_they_had() -> None:
    started = NOW + 123_457
    store([row(started=started, trace=b"r" * 16, hints=b'\x01{"to":"billing"}', error="Timeout: late")])

    unix = started + writer.EPOCH_US
    (found,) = spans_of(1, [(b"r" * 16, unix, unix + 5)])

    assert found[3:5] == (unix, unix + 5)
    assert found[18] == {"to": "billing"}
    assert found[16] == "Timeout: late"
