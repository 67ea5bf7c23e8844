"""Questions that nobody has to answer any more, since the work that asked them was ended."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from orchestration.holds import haste
from orchestration.holds.models import Hold, State
from orchestration.holds.telling import note, show

FAILED = "failure "  # how keys of questions begin that ask what to do with a run which failed


def withdraw(workspace_id: int, run_id: UUID, names: Collection[str], why: str) -> int:
    """Those of a run, however they named it, in the caller's transaction. A verdict that can still be taken back is
    dropped with its question; who waits for one is told that it was cancelled. Not undone by anything: work that goes
    on asks again."""
    pending = Hold.objects.filter(workspace_id=workspace_id).pending()
    return _cancel(workspace_id, pending.filter(Q(run_id=run_id) | Q(run__in=[name for name in names if name])), why)


def tried_again(workspace_id: int, run_id: UUID) -> int:
    """What to do with it once it had failed is no question any more."""
    pending = Hold.objects.filter(workspace_id=workspace_id, run_id=run_id, key__startswith=FAILED).pending()
    return _cancel(workspace_id, pending, "It is tried again.")


def _cancel(workspace_id: int, mine: QuerySet[Hold], why: str) -> int:
    ids = list(mine.select_for_update().order_by("pk").values_list("pk", flat=True))
    if not ids:
        return 0
    now = timezone.now()
    Hold.objects.filter(pk__in=ids).update(
        state=State.CANCELLED,
        revision=F("revision") + 1,
        verdict="",
        amend=None,
        reviewer=None,
        apply_at=None,
        decided_at=now,
        note=why[:2000],
    )
    found = list(Hold.objects.filter(pk__in=ids).order_by("pk"))
    note(found, "hold.cancelled", "", now)
    show(workspace_id)
    transaction.on_commit(haste.hasten)
    return len(found)
