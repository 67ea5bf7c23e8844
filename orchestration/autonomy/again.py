"""What failed or was given up is tried again: one act, or all that a filter finds, as one order that says how far it
is. Only rows: `work` carries them out, and what was sent already is sent once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from orchestration.autonomy import receipts
from orchestration.autonomy.haste import hasten
from orchestration.autonomy.models import Action, Kind, Order, State
from orchestration.autonomy.ordering import MOST, Refused

STUCK = (State.FAILED, State.DEAD)
ACTS = "action"  # what such an order is about, as its kind of target


def stuck(found: QuerySet[Action]) -> QuerySet[Action]:
    return found.filter(state__in=STUCK)


@transaction.atomic
def retry(action: Action, by: str) -> bool:
    """What was given up, or waits for its next try, is tried now. False when it was settled before."""
    done = bool(stuck(Action.objects.filter(pk=action.pk)).update(**_anew()))
    if done:
        action.refresh_from_db()
        receipts.note(action, "tried_again", by, timezone.now())
        transaction.on_commit(hasten)
    return done


def retry_all(workspace_id: int, found: QuerySet[Action], by: str, key: str, narrowed: Mapping[str, Any]) -> Order:
    """All of these that are stuck. The same key is the same order. Raises Refused."""
    if before := Order.objects.filter(workspace_id=workspace_id, key=key).first():
        return before
    try:
        with transaction.atomic():
            return _retry_all(workspace_id, found, by, key, narrowed)
    except IntegrityError:  # a second press was first
        return Order.objects.get(workspace_id=workspace_id, key=key)


def _retry_all(workspace_id: int, found: QuerySet[Action], by: str, key: str, narrowed: Mapping[str, Any]) -> Order:
    """What somebody is trying at this moment is left to him."""
    rows = stuck(found).order_by("created_at", "id").select_for_update(skip_locked=True, of=("self",))
    actions = list(rows[: MOST + 1])
    if not actions:
        raise Refused("Nothing fits: nothing that failed or was given up is there any more.")
    if len(actions) > MOST:
        raise Refused(f"That is more than {MOST}; at most so many go in one order.")
    made = Order.objects.create(
        workspace_id=workspace_id,
        key=key,
        digest="",
        kind=Kind.RETRY,
        target_kind=ACTS,
        narrowed=dict(narrowed),
        total=len(actions),
        by=by,
    )
    now, together = timezone.now(), {"together": str(made.pk)}
    Action.objects.filter(pk__in=[action.pk for action in actions]).update(again=made, **_anew())
    receipts.note_all(receipts.draft(action, "tried_again", by, now, together) for action in actions)
    transaction.on_commit(hasten)
    return made


def _anew() -> dict[str, Any]:
    return {"state": State.QUEUED, "attempts": 0, "due_at": timezone.now(), "ended_at": None, "error": ""}
