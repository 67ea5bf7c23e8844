"""What Baton did long ago is forgotten; its receipts in the ledger stay. What still stops somebody is never old."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from orchestration.autonomy.models import OPEN, Action, Episode, Order, Stop

SLICE = 2_000


def old(workspace_id: int, before: datetime) -> QuerySet[Action]:
    """Ended, or proposed and never answered."""
    stands = Stop.objects.filter(action=OuterRef("pk"))
    ended = Action.objects.filter(workspace_id=workspace_id, created_at__lt=before).exclude(state__in=OPEN)
    return ended.filter(~Exists(stands))


def forget(workspace_id: int, before: datetime) -> int:
    """In slices, so that no lock is held for long; an order goes with the last of its actions."""
    done, n = 0, SLICE
    while n == SLICE:
        ids = list(old(workspace_id, before).values_list("pk", flat=True)[:SLICE])
        Action.objects.filter(pk__in=ids).delete()
        n = len(ids)
        done += n
    left = Order.objects.filter(workspace_id=workspace_id, created_at__lt=before)
    left.filter(~Exists(Action.objects.filter(order=OuterRef("pk")))).delete()
    Episode.objects.filter(workspace_id=workspace_id, ended_at__lt=before).delete()
    return done
