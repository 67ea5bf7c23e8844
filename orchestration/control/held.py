"""What waits for a person's verdict: which agents, how much of it, and what of it is late."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Min

from orchestration.holds.models import PENDING, Hold
from orchestration.lib.names import normal
from orchestration.lib.prepared import Prepared
from orchestration.registry.models import Agent


@dataclass(frozen=True, slots=True)
class Late:
    count: int
    since: datetime


ASKING = Prepared(
    "agents_asking",
    "select distinct agent, application from holds_hold where workspace_id = %(workspace)s and state in ({})".format(
        ", ".join(f"'{state}'" for state in PENDING)
    ),
)


def held_agents(workspace_id: int, asking: Collection[tuple[str, str]] | None = None) -> set[int]:
    """Agents with an open hold of their own, of `ASKING` where that is known. A bare name that fits several agents
    stands for none of them."""
    asked = ASKING.rows({"workspace": workspace_id}) if asking is None else asking
    return _known(workspace_id, set(asked)) if asked else set()


def _known(workspace_id: int, asked: Iterable[tuple[str, str]]) -> set[int]:
    wanted = {(normal(name), application) for name, application in asked}
    found = Agent.objects.filter(workspace_id=workspace_id, key__in={key for key, _ in wanted})
    fits: dict[tuple[str, str], list[int]] = {}
    for agent_id, key, application in found.values_list("id", "key", "application__name"):
        for place in ((key, application), (key, "")):
            fits.setdefault(place, []).append(agent_id)
    return {ids[0] for place in wanted if len(ids := fits.get(place, [])) == 1}


def cases(workspace_id: int) -> int:
    """How many questions are in the inbox."""
    return Hold.objects.filter(workspace_id=workspace_id).open().count()


def waiting(workspace_id: int, runs_waiting: int) -> int:
    """How many things wait for a person: open holds, and runs that were seen to wait and have none."""
    holds = Hold.objects.filter(workspace_id=workspace_id).pending()
    count = holds.count()
    if not count or not runs_waiting:
        return count + runs_waiting
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from workflows_run r where r.workspace_id = %s and r.status = 'waiting' "
            "and r.merged_into is null and exists (select 1 from holds_hold h where h.workspace_id = r.workspace_id "
            "and h.run_id = r.id and h.state in ('open', 'decided'))",
            [workspace_id],
        )
        both = int(cursor.fetchone()[0])
    return count + runs_waiting - both


def opened(workspace_id: int, since: datetime, until: datetime) -> int:
    """Holds opened in a time, without those of runs whose telemetry tells the same."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) - count(*) filter (where h.run_id is not null and exists (select 1 from workflows_run r "
            "where r.workspace_id = h.workspace_id and r.id = h.run_id and r.escalations > 0)) from holds_hold h "
            "where h.workspace_id = %s and h.opened_at >= %s and h.opened_at < %s "
            "and h.precedent_id is null",
            [workspace_id, since, until],
        )
        return int(cursor.fetchone()[0])


def late(workspace_id: int, now: datetime) -> Late | None:
    """Open holds whose deadline has passed."""
    found = Hold.objects.filter(workspace_id=workspace_id, due_at__lt=now).open()
    since = found.aggregate(since=Min("due_at"))["since"]
    return Late(found.count(), since) if since else None
