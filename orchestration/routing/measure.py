"""Reads the rollups into cells: each agent on each system and kind of call, and at each task, as steps are called.

Not span by span: hours and days of the figures, each weighed by its age (half-life). Made anew as a whole, on the
queue of what learns, since it takes scipy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from orchestration.lib.names import normal
from orchestration.registry.models import Agent
from orchestration.routing import limits
from orchestration.routing.circuits import CALLS
from orchestration.routing.models import Cell
from orchestration.routing.reliability import Counted, Place, Posterior, posteriors
from orchestration.telemetry import sums
from orchestration.telemetry.rollups import SPANS
from orchestration.telemetry.spans import Kind
from orchestration.telemetry.sums import Stretch
from orchestration.workflows import paces
from orchestration.workflows.models import Measure, StepName
from orchestration.workspaces.models import Workspace

HALF_LIVES = 5  # what is older counts a thirtieth, and is left out
MOST_CELLS = 20_000
# Each hour is a group: what goes wrong within one is likely the same trouble.
WEIGHED = """
select {keys}, sum(w * n), sum(w * f), count(*), sum(w * w * n * n), sum(w * w * n * f), sum(w * w * f * f),
    sum(n), sum(f)
from (
    select {keys}, power(0.5, greatest(0, %s - extract(epoch from date_trunc('hour', at))) / %s)::float8 w,
        sum(n)::float8 n, least(sum(n), sum({failed}))::float8 f
    from ({rows}) r where {where} group by {keys}, date_trunc('hour', at) having sum(n) > 0
) g group by {keys} order by sum(n) desc limit %s
"""


def measure() -> int:
    """All workspaces; returns how many cells."""
    return sum(measure_one(pk, datetime.now(UTC)) for pk in Workspace.objects.values_list("pk", flat=True))


def measure_one(workspace_id: int, now: datetime) -> int:
    """The cells of a workspace, made anew. Calls and tasks are two hierarchies: they count the same work twice."""
    half_life = limits.bounds(workspace_id).half_life_days
    since = now - timedelta(days=half_life * HALF_LIVES)
    calls, steps = dict(_calls(workspace_id, since, now, half_life)), dict(_steps(workspace_id, since, now, half_life))
    rows = [_cell(workspace_id, now, place, found) for place, found in posteriors(calls).items()]
    rows += [_cell(workspace_id, now, place, found) for place, found in posteriors(steps).items()]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('cells ' || %s::text, 0))", [workspace_id])
        Cell.objects.filter(workspace_id=workspace_id).delete()
        Cell.objects.bulk_create(rows, batch_size=1000)
    return len(rows)


def _calls(workspace_id: int, since: datetime, now: datetime, half_life: float) -> Iterator[tuple[Place, Counted]]:
    columns = ("agent_id", "system_id", "kind", "n", "errors")
    rows = sums.stretch(SPANS, workspace_id, since, now, columns)
    kinds = ", ".join(str(int(kind)) for kind in CALLS)
    where = f"agent_id > 0 and system_id > 0 and kind in ({kinds})"
    agents = set(Agent.objects.filter(workspace_id=workspace_id).values_list("pk", flat=True))
    for agent, system, kind, *counted in _weighed(rows, ("agent_id, system_id, kind", "errors", where), now, half_life):
        if agent in agents:
            yield Place(agent, f"{system} {Kind(kind).name.lower()}"), _counted(counted)


def _steps(workspace_id: int, since: datetime, now: datetime, half_life: float) -> Iterator[tuple[Place, Counted]]:
    """Steps by name, of whoever owns them, in whichever workflow. An owner whose name several agents have is nobody."""
    rows = paces.rows_between(workspace_id, since, now)
    where = f"step_id > 0 and measure = {int(Measure.WORK)}"
    whose = _whose(workspace_id)
    found: dict[Place, list[Counted]] = {}
    for step, *counted in _weighed(rows, ("step_id", "failed", where), now, half_life):
        if step in whose:
            found.setdefault(whose[step], []).append(_counted(counted))
    for place, parts in found.items():
        yield place, _together(parts)


def _together(parts: list[Counted]) -> Counted:
    n, failures, groups, nn, nf, ff = (sum(each) for each in zip(*(part[:6] for part in parts), strict=True))
    counted = sum(part.counted[0] for part in parts), sum(part.counted[1] for part in parts)
    return Counted(n, failures, int(groups), nn, nf, ff, counted)


def _whose(workspace_id: int) -> Mapping[int, Place]:
    known: dict[str, list[int]] = {}
    for pk, key in Agent.objects.filter(workspace_id=workspace_id).values_list("pk", "key"):
        known.setdefault(key, []).append(pk)
    steps = StepName.objects.filter(workspace_id=workspace_id).values_list("pk", "name", "owner")
    owners = {pk: (name, known.get(normal(owner), [])) for pk, name, owner in steps}
    return {pk: Place(agents[0], name) for pk, (name, agents) in owners.items() if len(agents) == 1 and name}


def _weighed(rows: Stretch, what: tuple[str, str, str], now: datetime, half_life: float) -> list[tuple[Any, ...]]:
    """`what`: keys, the column of failures and a condition, all ours."""
    keys, failed, where = what
    query = WEIGHED.format(keys=keys, failed=failed, rows=rows.sql, where=where)
    with connection.cursor() as cursor:
        cursor.execute(query, [now.timestamp(), half_life * 86_400, *rows.params, MOST_CELLS])
        return list(cursor)


def _counted(row: list[Any]) -> Counted:
    n, failures, groups, nn, nf, ff = (float(each) for each in row[:6])
    return Counted(n, failures, int(groups), nn, nf, ff, (int(row[6]), int(row[7])))


def _cell(workspace_id: int, now: datetime, place: Place, found: Posterior) -> Cell:
    system, _, kind = place.what.partition(" ")
    told = {"system_id": int(system), "kind": kind} if _is_call(place.what) else {"task": place.what[:256]}
    return Cell(
        workspace_id=workspace_id,
        agent_id=place.agent,
        n=found.n,
        failures=found.failures,
        sure=found.sure,
        alpha=found.alpha,
        beta=found.beta,
        low=found.low,
        high=found.high,
        at=now,
        **told,
    )


def _is_call(what: str) -> bool:
    system, _, kind = what.partition(" ")
    return system.isdigit() and kind in {each.name.lower() for each in CALLS}
