"""Who has a batch open. A claim forbids nobody anything: it says "Reviewer One is here", and keeps newcomers out of a
batch that somebody is reading. It ends after ten minutes, on leaving, and with the next batch that is opened."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from escalations.models import Batch
from orchestration.lib.pulse import publish
from orchestration.workspaces.models import User

FOR = timedelta(minutes=10)


def take(batch: Batch, by: User, now: datetime) -> bool:
    """Whether it is this person's now. Another one's claim is left alone as long as it lasts."""
    mine = Batch.objects.filter(workspace_id=batch.workspace_id, claimed_by=by)
    left = mine.exclude(pk=batch.pk).update(claimed_by=None, claimed_until=None)
    free = Q(claimed_until=None) | Q(claimed_until__lte=now) | Q(claimed_by=by)
    taken = Batch.objects.filter(free, pk=batch.pk, closed_at=None).update(claimed_by=by, claimed_until=now + FOR)
    if left or (taken and batch.claimed_by_id != by.pk):
        publish(batch.workspace_id, "batch")
    return bool(taken)


def leave(batch: Batch, by: User) -> None:
    if Batch.objects.filter(pk=batch.pk, claimed_by=by).update(claimed_by=None, claimed_until=None):
        publish(batch.workspace_id, "batch")
