from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from orchestration.telemetry import retention
from orchestration.telemetry.models import Span
from orchestration.workflows.models import Trace
from orchestration.workspaces.models import Workspace
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)
TODAY = datetime.now(UTC).date()


def days(table: str = "telemetry_span") -> set[int]:
    with connection.cursor() as cursor:
        return {(TODAY - p.day).days for p in retention.partitions(cursor) if p.table == table}


@pytest.fixture(autouse=True)
def clean(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        for partition in retention.partitions(cursor):
            cursor.execute(f"drop table {partition.name}")


def test_every_kept_day_and_the_next_ones_have_a_partition() -> None:
    retention.ensure_partitions()

    assert days() == set(range(-3, 31))
    assert retention.ensure_partitions() == 0


def test_days_beyond_retention_are_dropped_and_the_rest_stays() -> None:
    retention.ensure_partitions(TODAY - timedelta(days=40), TODAY)

    dropped = retention.drop_old()

    assert len(dropped) == 2 * 9
    assert max(days()) == 31


def test_an_old_day_lives_while_data_arrived_in_it_recently(workspace: Workspace) -> None:
    old = datetime.now(UTC) - timedelta(days=35)
    retention.ensure_partitions(TODAY - timedelta(days=36), TODAY)
    Trace.objects.create(
        workspace=workspace, trace_id=b"t" * 16, started_at=old, ended_at=old, received_at=datetime.now(UTC), spans=1,
        root_came=True,
    )  # fmt: skip

    retention.drop_old()

    assert 35 in days()
    assert 36 not in days()


def test_a_day_that_is_needed_is_made_at_once() -> None:
    start = datetime.now(UTC) - timedelta(days=20)
    microseconds = int(start.timestamp() * 1e6) - 946_684_800_000_000

    retention.need_days(microseconds, microseconds)

    assert days() == {20}


def test_a_day_whose_making_was_rolled_back_is_made_again() -> None:
    start = int((datetime.now(UTC) - timedelta(days=20)).timestamp() * 1e6) - 946_684_800_000_000
    with transaction.atomic():
        retention.need_days(start, start)
        transaction.set_rollback(True)

    retention.need_days(start, start)

    assert days() == {20}


def test_a_day_that_was_detached_and_left_behind_is_dropped_and_can_be_made_again() -> None:
    old = TODAY - timedelta(days=40)
    retention.ensure_partitions(old, old)
    with connection.cursor() as cursor:
        cursor.execute(f"alter table telemetry_span detach partition telemetry_span_{old:%Y%m%d} concurrently")

    retention.drop_old()
    retention.ensure_partitions(old, old)

    assert days() == {40}


def test_a_workspace_that_keeps_less_than_another_loses_its_old_days(workspace: Workspace) -> None:
    other = make.workspace("other")
    old, new = (datetime.now(UTC) - timedelta(days=days) for days in (20, 2))
    for space in (workspace, other):
        for at in (old, new):
            make.spans(space, b"t" * 16, at, make.Made("a"), make.Made("b"))

    gone = [retention.forget_days(workspace.pk, 7) for _ in range(2)]

    left = {space.slug: Span.objects.filter(workspace=space).count() for space in (workspace, other)}
    assert gone == [2, 0]
    assert left == {"default": 2, "other": 4}
    assert retention.forget_days(other.pk, 30) == 0


def test_an_old_day_of_a_workspace_lives_while_data_arrived_in_it_recently(workspace: Workspace) -> None:
    old = datetime.now(UTC) - timedelta(days=20)
    make.spans(workspace, b"t" * 16, old, make.Made("a"))
    make.trace(workspace, b"t" * 16, None, old, datetime.now(UTC))

    assert retention.forget_days(workspace.pk, 7) == 0
