"""How much the reviewers of each workspace can bear, by their hours and their measured pace; written where what comes
is compared with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from escalations.models import Duty
from escalations.pace import LATELY
from escalations.sorting import reviewers
from orchestration.holds import capacity
from orchestration.holds.capacity import Strength
from orchestration.workspaces.models import Workspace

AWAY = timedelta(days=7)  # who is away for longer is not counted
WEEK = 7
MEDIAN = """
select percentile_cont(0.5) within group (order by seconds), count(*) from escalations_escalation
where workspace_id = %s and not open and seconds is not null and closed_at > %s
"""


def sweep() -> int:
    """Of every workspace in which somebody said when they review."""
    ids = set(Duty.objects.values_list("workspace_id", flat=True)) | capacity.noted()
    for place in Workspace.objects.filter(pk__in=ids):
        write(place)
    return len(ids)


def write(workspace: Workspace) -> Strength:
    now = timezone.now()
    members = {member.user_id for member in reviewers(workspace)}
    duties = [duty for duty in Duty.objects.filter(workspace=workspace) if duty.person_id in members]
    there = [duty for duty in duties if duty.away_until is None or duty.away_until < now + AWAY]
    seconds, measured = _median(workspace.pk, now)
    found = Strength(len(there), minutes(there), seconds, measured)
    capacity.note(workspace.pk, found, now)
    return found


def minutes(duties: Iterable[Duty]) -> float:
    """Of a day, as the mean of a week. Who named no hours reviews every day."""
    return sum(duty.minutes_a_day * _days(duty) / WEEK for duty in duties)


def _days(duty: Duty) -> int:
    return sum(each is not None for each in duty.hours) if duty.hours else WEEK


def _median(workspace_id: int, now: datetime) -> tuple[float | None, int]:
    with connection.cursor() as cursor:
        cursor.execute(MEDIAN, [workspace_id, now - LATELY])
        median, count = cursor.fetchone()
    return (None if median is None else float(median)), int(count)
