"""Actions as lists show them, and how far an order is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from orchestration.autonomy.models import OPEN, Action, Cause, Order, State
from orchestration.lib.paging import BadCursor, Page, from_cursor, to_cursor

ENDED = (State.DONE, State.DEAD, State.UNDONE, State.DECLINED)
ATTENTION = (State.PROPOSED, State.DEAD)


@dataclass(frozen=True, slots=True)
class Asked:
    """`state` may be `open` (under way) or `attention` (somebody has to look); `target` is a kind and an id; `rule` the
    slug of the policy that acted."""

    q: str = ""
    state: str = ""
    kind: str = ""
    target: str = ""
    order: str = ""
    cause: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    states: Mapping[str, int]
    ended: int
    changed: int


def listing(workspace_id: int, asked: Asked, limit: int, cursor: str | None = None) -> Page[Action]:
    """Newest first. Raises BadCursor."""
    found = narrowed(workspace_id, asked).select_related("order", "undoes").order_by("-created_at", "-id")
    if cursor:
        at, last = _place(cursor)
        found = found.filter(Q(created_at__lt=at) | Q(created_at=at, id__lt=last))
    rows = list(found[: limit + 1])
    more = rows[limit - 1] if len(rows) > limit else None
    after = to_cursor([more.created_at.timestamp(), str(more.pk)]) if more else None
    return Page(rows[:limit], after)


def narrowed(workspace_id: int, asked: Asked) -> QuerySet[Action]:
    found = Action.objects.filter(workspace_id=workspace_id)
    states = {"open": OPEN, "attention": ATTENTION}.get(asked.state, (asked.state,))
    if asked.state:
        found = found.filter(state__in=states)
    for name in ("kind", "cause"):
        if value := getattr(asked, name):
            found = found.filter(**{name: value})
    if asked.target:
        kind, _, target = asked.target.partition(":")
        found = found.filter(target_kind=kind, target=target)
    if asked.rule:
        found = found.filter(cause=Cause.RULE, cause_id__startswith=f"{asked.rule}@")
    if asked.order:
        found = found.filter(_in_order(_uuid(asked.order)))
    if q := asked.q.replace("\0", "").strip():
        found = found.filter(Q(name__icontains=q) | Q(reason__icontains=q) | Q(by__icontains=q) | Q(target=q))
    return found


def states(workspace_id: int) -> dict[str, int]:
    """How many are under way and how many need somebody."""
    open_ones = Q(state__in=OPEN)
    waiting = Action.objects.filter(workspace_id=workspace_id).filter(open_ones | Q(state__in=ATTENTION))
    return dict(waiting.values_list("state").annotate(n=Count("id")).order_by())


def progress(order: Order) -> Progress:
    mine = Action.objects.filter(_in_order(order.pk))
    rows = mine.values_list("state").annotate(n=Count("id")).order_by()
    found = {str(state): n for state, n in rows}
    changed = mine.filter(state__in=(State.DONE, State.UNDONE), result__changed=True).count()
    return Progress(found, sum(found.get(state, 0) for state in ENDED), changed)


def _in_order(order_id: UUID) -> Q:
    """Made by it, or tried again by it."""
    return Q(order_id=order_id) | Q(again_id=order_id)


def _place(cursor: str) -> tuple[datetime, UUID]:
    at, last = from_cursor(cursor, float, str)
    try:
        return datetime.fromtimestamp(at, UTC), UUID(last)
    except (ValueError, OverflowError, OSError) as error:
        raise BadCursor("cursor") from error


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
