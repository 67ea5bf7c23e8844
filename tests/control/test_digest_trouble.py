"""Trouble of the database is waited out: no delivery is ever set aside for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from django.db import DatabaseError, connection
from uuid_utils.compat import uuid7

from orchestration.control import digest
from orchestration.telemetry import packing
from orchestration.telemetry.models import Delivery, Signal, Span
from orchestration.workspaces.models import Workspace
from tests.bench.load import templates
from tests.bench.traces import Shape

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("days")]


@pytest.fixture
def refused(request: pytest.FixtureRequest) -> Iterator[None]:
    """Spans cannot be stored, for the reason (SQLSTATE) that the test names."""
    with connection.cursor() as cursor:
        cursor.execute(
            "create function no_spans() returns trigger language plpgsql as "
            f"$$ begin raise exception 'no' using errcode = '{request.param}'; end $$"
        )
        cursor.execute(
            "create trigger no_spans before insert on telemetry_span for each row execute function no_spans()"
        )
    yield
    allow()


def allow() -> None:
    with connection.cursor() as cursor:
        cursor.execute("drop function if exists no_spans() cascade")


def deliver(workspace: Workspace) -> None:
    body, _ = templates(1, Shape(spans=12, trace=(4, 12)))[0].fresh()
    Delivery.objects.create(
        workspace=workspace,
        id=uuid7(),
        signal=Signal.TRACES,
        encoding="protobuf",
        compression="zstd",
        items=12,
        body=packing.pack(body),
    )


def insist(workspace: Workspace) -> None:
    for _ in range(8):
        with suppress(DatabaseError, psycopg.Error):
            digest.digest(workspace.pk)


@pytest.mark.parametrize("refused", ["53100", "55P03", "57014", "40P01"], indirect=True)
def test_a_delivery_outlives_any_time_of_trouble(workspace: Workspace, refused: None) -> None:
    deliver(workspace)

    insist(workspace)
    assert Delivery.objects.filter(poisoned_at=None, attempts=0).count() == 1
    allow()
    insist(workspace)

    assert Span.objects.count() == 12
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("refused", ["53100"], indirect=True)
def test_a_suspect_is_not_blamed_for_trouble_either(workspace: Workspace, refused: None) -> None:
    deliver(workspace)
    Delivery.objects.update(attempts=1)

    insist(workspace)

    assert Delivery.objects.filter(poisoned_at=None, attempts=1).count() == 1


@pytest.mark.parametrize("refused", ["54000", "22001"], indirect=True)
def test_what_the_database_cannot_hold_is_set_aside(workspace: Workspace, refused: None) -> None:
    deliver(workspace)

    insist(workspace)

    assert Delivery.objects.exclude(poisoned_at=None).count() == 1
