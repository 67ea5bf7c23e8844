from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.control.arriving import arriving, landed, senders
from orchestration.telemetry.models import Delivery, Intake, Signal
from orchestration.workspaces.keys import create_key, revoke
from orchestration.workspaces.models import KeyDay, User, Workspace
from tests import make

NOW = datetime(2026, 3, 1, 12, 30, 30, tzinfo=UTC)


def came(space: Workspace, minutes_ago: int, accepted: int) -> None:
    at = NOW.replace(second=0) - timedelta(minutes=minutes_ago)
    Intake.objects.create(workspace=space, at=at, requests=1, accepted=accepted, digested=accepted, lag_ms=1)


def waits(space: Workspace, seconds_ago: int, items: int, signal: int = Signal.TRACES) -> None:
    at = NOW - timedelta(seconds=seconds_ago)
    Delivery.objects.create(
        workspace=space, id=uuid7(), signal=signal, encoding="json", compression="", items=items, body=b"",
        received_at=at,
    )  # fmt: skip


def test_the_rate_of_now_is_that_of_the_last_minute_or_two(workspace: Workspace, stranger: User) -> None:
    came(workspace, 0, 30)
    came(workspace, 1, 60)
    came(workspace, 30, 360)
    came(workspace, 70, 9999)
    came(Workspace.objects.get(slug="elsewhere"), 0, 5000)

    found = arriving(workspace.pk, NOW)

    assert found.now_per_s == 1.0
    assert found.hour_per_s == (60 + 360) / 3600
    assert (found.minutes[-1], found.minutes[30], sum(found.minutes)) == (60, 360, 420)
    assert found.requests == 3
    assert found.last_at == NOW.replace(second=0)


def test_what_waits_to_be_digested_has_come(workspace: Workspace) -> None:
    waits(workspace, 5, 90)
    waits(workspace, 5, 500, Signal.LOGS)

    assert arriving(workspace.pk, NOW).now_per_s == 1.0


def test_nothing_has_come_where_nothing_came(workspace: Workspace) -> None:
    found = arriving(workspace.pk, NOW)

    assert (found.now_per_s, found.hour_per_s, found.last_at, found.requests) == (0, 0, None, 0)


def test_senders_are_keys_that_may_send_with_what_they_sent_today(workspace: Workspace) -> None:
    sender, _ = create_key(workspace, "sender", ["ingest"])
    revoke(create_key(workspace, "revoked", ["ingest"])[0])
    create_key(workspace, "reader", ["read"])
    KeyDay.objects.create(key=sender, day=NOW.date(), items=7, size=100)
    KeyDay.objects.create(key=sender, day=NOW.date() - timedelta(days=1), items=70, size=1000)

    found = [(key.name, key.items, key.size) for key in senders(workspace.pk, NOW)]  # type: ignore[attr-defined]

    assert found == [("sender", 7, 100)]


def test_a_trace_has_landed_once_it_is_known_here(workspace: Workspace, stranger: User) -> None:
    make.trace(workspace, b"t" * 16, None, timezone.now(), timezone.now())

    assert landed(workspace.pk, b"t" * 16)
    assert not landed(workspace.pk, b"u" * 16)
    assert not landed(Workspace.objects.get(slug="elsewhere").pk, b"t" * 16)
