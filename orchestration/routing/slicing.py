"""Looks for slices that are worse among the runs that ended: read, judged, and kept with their evidence.

A test begins anew with each epoch, of 28, 7 or 1 days as the number of runs allows (their number, never their outcome,
chooses), and in a second series that is half an epoch apart, so that there is always one with a past. Each has half of
the false discoveries that are allowed. Within an epoch it may be looked at as often as one likes (`slices`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction

from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.registry.models import Agent
from orchestration.routing.models import Slice
from orchestration.routing.slices import LEVEL, Case, Trait, worse
from orchestration.routing.slices import Slice as Found
from orchestration.workspaces.models import Workspace

BATON = "baton:routing"
EPOCHS = (timedelta(days=28), timedelta(days=7), timedelta(days=1))
ZERO = datetime(2024, 1, 1, tzinfo=UTC)
MOST_CASES = 6_000
VALUE_CHARS = 40
PROTECTED = "protected_"  # such columns are nobody's to use
RUNS = """
select r.id, r.status = 'failed', r.agents, w.name, r.conversation from workflows_run r
join workflows_workflow w on w.id = r.workflow_id
where r.workspace_id = %s and r.started_at >= %s and r.ended_at <= %s and r.status in ('completed', 'failed')
    and r.merged_into is null order by r.ended_at, r.id limit %s
"""
ASKED = """
select run_id, action_type, system, facts -> 'context', facts -> 'action.arguments' from policies_decision
where workspace_id = %s and at >= %s and run_id = any(%s) and not imported
"""


def look() -> int:
    """All workspaces; returns how many slices are proven."""
    now = datetime.now(UTC)
    return sum(look_one(pk, now) for pk in Workspace.objects.values_list("pk", flat=True))


def look_one(workspace_id: int, now: datetime) -> int:
    found: dict[str, Found] = {}
    for since in series(workspace_id, now):
        for each in worse(list(cases(workspace_id, since, now)), LEVEL / 2):
            what = _what(each.traits)
            if what not in found or found[what].evidence < each.evidence:
                found[what] = each
    _keep(workspace_id, found, now)
    return len(found)


def series(workspace_id: int, now: datetime) -> list[datetime]:
    """When the two tests began that run now."""
    for length in EPOCHS:
        starts = [ZERO + (now - ZERO - offset) // length * length + offset for offset in (timedelta(0), length / 2)]
        if length == EPOCHS[-1] or _many(workspace_id, min(starts)) <= MOST_CASES:
            return starts
    return []


def cases(workspace_id: int, since: datetime, now: datetime) -> Iterator[Case]:
    """Runs that ended, in the order of their ends, with whoever took part, what was asked for and in which context."""
    with connection.cursor() as cursor:
        cursor.execute(RUNS, [workspace_id, since, now, MOST_CASES])
        rows = list(cursor)
        cursor.execute(ASKED, [workspace_id, since, [row[0] for row in rows]])
        asked: dict[Any, set[Trait]] = {}
        for run, *told in cursor:
            asked.setdefault(run, set()).update(_traits(*told))
    names = dict(Agent.objects.filter(workspace_id=workspace_id).values_list("pk", "slug"))
    for run, failed, agents, workflow, conversation in rows:
        own = {("agent", names[agent]) for agent in agents if agent in names}
        traits = own | {("workflow", workflow)} | asked.get(run, set())
        yield Case(frozenset(traits), bool(failed), conversation or "")


def _traits(action: str, system: str, context: Any, arguments: Any) -> set[Trait]:
    found = {("act", action[:VALUE_CHARS])} | ({("system", system[:VALUE_CHARS])} if system else set())
    for where, stored in (("context", context), ("arguments", arguments)):
        told = orjson.loads(stored) if isinstance(stored, str) else stored
        for name, value in (told if isinstance(told, Mapping) else {}).items():
            said = str(value).lower() if isinstance(value, bool) else value
            if isinstance(said, str) and 0 < len(said) <= VALUE_CHARS and not name.startswith(PROTECTED):
                found.add((f"{where}.{name}"[:60], said))
    return found


def _many(workspace_id: int, since: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from (select from workflows_run where workspace_id = %s and started_at >= %s limit %s) r",
            [workspace_id, since, MOST_CASES + 1],
        )
        return int(cursor.fetchone()[0])


def _what(traits: tuple[Trait, ...]) -> str:
    return orjson.dumps(sorted(traits)).decode()


def _keep(workspace_id: int, found: Mapping[str, Found], now: datetime) -> None:
    """Those that are proven now; each new one with its receipt."""
    known = set(Slice.objects.filter(workspace_id=workspace_id).values_list("what", flat=True))
    with transaction.atomic():
        Slice.objects.filter(workspace_id=workspace_id).exclude(what__in=list(found)).delete()
        for what, each in found.items():
            counted = {"n": each.n, "failures": each.failures, "rest": each.rest, "rest_failures": each.rest_failures}
            values = counted | {
                "evidence": min(each.evidence, 1e300),
                "at": now,
                "traits": [list(t) for t in each.traits],
            }
            Slice.objects.update_or_create(
                workspace_id=workspace_id, what=what, defaults=values, create_defaults=values | {"since": now}
            )
            if what not in known:
                told = counted | {"traits": what, "evidence": f"{each.evidence:.3g}"}
                entries.record(workspace_id, "slice.found", ("slice", what[:200]), BATON, told, now)
    if set(found) != known:
        publish(workspace_id, "agent")
