"""Holds as lists: newest first, narrowed by what agents may see of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from orchestration.holds.models import PENDING, Hold, State
from orchestration.holds.told import SHOWN
from orchestration.lib.names import agent_key, normal
from orchestration.lib.paging import BadCursor, Page, from_cursor, to_cursor

_SAME = """exists (select 1 from unnest(%s::text[], %s::text[]) as w(name, application)
where w.name = translate(lower(coalesce(nullif(substring(agent from '[^/]*$'), ''), agent)), '-_', '')
and (w.application = '' or agent !~ './' or w.application = translate(lower(substring(agent from '^(.*)/')), '-_', '')))
"""


def of_agents(found: QuerySet[Hold], names: Iterable[str]) -> QuerySet[Hold]:
    """Those of agents that are called so, however they are spelled: as `lib.names.same_agent` has it."""
    wanted = [(agent_key(name), normal(name.rpartition("/")[0])) for name in names]
    named = RawSQL(_SAME, [[name for name, _ in wanted], [where for _, where in wanted]])  # noqa: S611  ours alone
    return found.annotate(named=named).filter(named=True)


def listing(
    workspace_id: int,
    *,
    state: str = "",
    agent: str = "",
    run: str = "",
    policy: str = "",
    q: str = "",
    limit: int = 50,
    cursor: str = "",
    vouched: Iterable[str] = (),
) -> Page[dict[str, Any]]:
    """Rows with the columns of `SHOWN`. `state` as agents see it; `vouched`: only holds of these agents."""
    found: QuerySet[Hold] = Hold.objects.filter(workspace_id=workspace_id)
    if state:
        found = found.filter(state__in=PENDING if state == State.OPEN else [state])
    found = found.filter(**{name: value for name, value in (("run", run), ("policy", policy)) if value})
    if agent:
        found = of_agents(found, [agent])
    if vouched:
        found = of_agents(found, vouched)
    if q:
        found = found.filter(Q(question__icontains=q) | Q(run__icontains=q) | Q(agent__icontains=q))
    if cursor:
        found = found.filter(id__lt=_place(cursor))
    rows = list(found.order_by("-id").values(*SHOWN)[: limit + 1])
    following = to_cursor([str(rows[limit - 1]["id"])]) if len(rows) > limit else None
    return Page(rows[:limit], following)


def one(workspace_id: int, hold_id: UUID, vouched: Iterable[str] = ()) -> dict[str, Any] | None:
    found: QuerySet[Hold] = Hold.objects.filter(workspace_id=workspace_id, pk=hold_id)
    if vouched:
        found = of_agents(found, vouched)
    row: dict[str, Any] | None = found.values(*SHOWN).first()
    return row


def _place(cursor: str) -> UUID:
    try:
        return UUID(from_cursor(cursor, str)[0])
    except ValueError as error:
        raise BadCursor("cursor") from error
