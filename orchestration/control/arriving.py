"""What comes in, seen from those who send: how much a second, by which key, and whether one trace has arrived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import F, Q, QuerySet, Sum

from orchestration.telemetry.models import Intake, Signal
from orchestration.telemetry.sums import to_minute
from orchestration.workflows.models import Trace
from orchestration.workspaces.models import ApiKey

HOUR = timedelta(hours=1)
NEWEST = 2_000  # spans of the hour that are looked at for some that no run is made of
MOST_UNREAD = 10


@dataclass(frozen=True, slots=True)
class Arriving:
    """Spans as acknowledged, by receipt."""

    now_per_s: float  # of the last minute or two
    hour_per_s: float
    minutes: list[int]  # of the last hour, oldest first, the unfinished one left out
    requests: int  # in the last hour
    last_at: datetime | None  # the minute in which something came last, in the last 30 days


@dataclass(frozen=True, slots=True)
class Unread:
    """Spans of an application that are kept, though no run is made of them."""

    application: str
    spans: int
    name: str  # of one of them
    last_at: datetime


def arriving(workspace_id: int, now: datetime) -> Arriving:
    """How much came in the last hour; what still waits for the digest is counted with the minute in which it came."""
    this = to_minute(now)
    by_minute = _by_minute(workspace_id, this - HOUR)
    recent = sum(by_minute.get(this - timedelta(minutes=back), 0) for back in (0, 1))
    seconds = 60 + (now - this).total_seconds()
    minutes = [by_minute.get(this - timedelta(minutes=60 - place), 0) for place in range(60)]
    rows = Intake.objects.filter(workspace_id=workspace_id, at__gte=this - timedelta(days=30))
    requests = rows.filter(at__gte=this - HOUR).aggregate(n=Sum("requests"))["n"]
    last = rows.order_by("-at").values_list("at", flat=True).first()
    waiting = max(by_minute, default=None)
    return Arriving(
        now_per_s=recent / seconds,
        hour_per_s=sum(minutes) / HOUR.total_seconds(),
        minutes=minutes,
        requests=requests or 0,
        last_at=max((each for each in (last, waiting) if each), default=None),
    )


def _by_minute(workspace_id: int, since: datetime) -> dict[datetime, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select at, sum(n) from "
            "(select at, accepted as n from telemetry_intake where workspace_id = %s and at >= %s "
            "union all select date_trunc('minute', received_at), items from telemetry_delivery "
            "where workspace_id = %s and received_at >= %s and signal = %s and poisoned_at is null) as f group by at",
            [workspace_id, since, workspace_id, since, Signal.TRACES],
        )
        return {at.astimezone(UTC): int(n) for at, n in cursor}


def senders(workspace_id: int, today: datetime) -> QuerySet[ApiKey]:
    """Keys that may send, the one used last first, each with `items` and `size` of today (UTC)."""
    day = today.astimezone(UTC).date()
    keys = ApiKey.objects.usable().filter(workspace_id=workspace_id, lent=False, scopes__contains=["ingest"])
    on = Q(days__day=day)
    return keys.annotate(items=Sum("days__items", filter=on), size=Sum("days__size", filter=on)).order_by(
        F("last_used_at").desc(nulls_last=True), "name"
    )


def landed(workspace_id: int, trace_id: bytes) -> bool:
    """Whether a trace has been digested."""
    return Trace.objects.filter(workspace_id=workspace_id, trace_id=trace_id).exists()


def unread(workspace_id: int, now: datetime) -> list[Unread]:
    """Among the newest spans of the hour, those of settled traces in which nothing speaks of an agent, a model or a
    tool: ordinary traffic, or agents whose words no convention has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select a.name, count(*), min(s.name), max(s.started_at) from "
            "(select trace_id, application_id, name, started_at from telemetry_span "
            "where workspace_id = %s and started_at between %s and %s order by started_at desc limit %s) s "
            "join workflows_trace t on t.workspace_id = %s and t.trace_id = s.trace_id "
            "and t.run_id is null and t.settled_at is not null "
            "join registry_application a on a.id = s.application_id group by a.name order by 2 desc, 1 limit %s",
            [workspace_id, now - HOUR, now, NEWEST, workspace_id, MOST_UNREAD],
        )
        return [Unread(*row) for row in cursor]
