"""What the inbox keeps of a case's content goes with the words of its hold; and the bounds of precedents that ended as
long ago. That a case was decided, how long it took and what a precedent had a part in stays."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from escalations.models import Precedent
from orchestration.workspaces.models import Workspace

SLICE = 5_000
FORGET = """
update escalations_escalation set fields = '{}', text = '', differs = '[]', subjects = '{}'
where hold_id = any(array(select e.hold_id from escalations_escalation e join holds_hold h on h.id = e.hold_id
    where e.workspace_id = %s and not e.open and e.opened_at < %s and h.forgotten_at is not null
    and (e.text <> '' or e.fields <> '{}') limit %s))
"""


def sweep() -> int:
    """The hourly round, in every workspace. Returns how many cases were emptied."""
    now, done = timezone.now(), 0
    for pk, days in Workspace.objects.values_list("pk", "decision_days"):
        done += forget(pk, now - timedelta(days=days))
    return done


def forget(workspace_id: int, before: datetime) -> int:
    ended = Q(revoked_at__lt=before) | Q(expires_at__lt=before)
    old = Precedent.objects.filter(ended, workspace=workspace_id).exclude(shape={})
    old.update(shape={}, within={}, note="", reason="")
    total, done = 0, SLICE
    while done == SLICE:
        with connection.cursor() as cursor:
            cursor.execute(FORGET, [workspace_id, before, SLICE])
            done = int(cursor.rowcount)
        total += done
    return total
