"""How much agents of a workflow got in each other's way before they were told to coordinate, and since. One function
for the page, the API and whatever else shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Q
from django.utils import timezone

from orchestration.handoffs.mess import KINDS
from orchestration.handoffs.mess_models import Coordination, Mess
from orchestration.lib.stats import ENOUGH, wilson
from orchestration.workflows.models import Workflow

EXAMPLES = 5
COUNTS = """
select at >= %(since)s as later, count(*), sum(lost_ms), {columns}
from handoffs_mess where workspace_id = %(space)s and workflow_id = %(flow)s
    and at >= %(first)s and at < coalesce(%(until)s::timestamptz, 'infinity')
group by 1
"""
LEFT = """
select count(*) from workflows_run r left join handoffs_mess m on m.workspace_id = r.workspace_id and m.run_id = r.id
where r.workspace_id = %(space)s and r.workflow_id = %(flow)s and r.started_at >= %(first)s
    and r.started_at < coalesce(%(until)s::timestamptz, 'infinity') and r.status in ('completed', 'failed', 'cancelled')
    and r.merged_into is null and m.revision is distinct from r.revision
"""


@dataclass(frozen=True, slots=True)
class Side:
    """One kind in the runs of one side: how often, in how many of them. `examples`: the newest such runs."""

    count: int
    hit: int
    runs: int
    examples: tuple[UUID, ...] = ()

    @property
    def per_100(self) -> float | None:
        return 100 * self.hit / self.runs if self.runs >= ENOUGH else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %, as a share."""
        return wilson(self.hit, self.runs) if self.runs >= ENOUGH else None


@dataclass(frozen=True, slots=True)
class Compared:
    kind: str
    name: str
    counts: str  # what is counted, in a sentence
    before: Side
    after: Side

    @property
    def difference(self) -> tuple[float, float, float] | None:
        """After less before, of 100 runs, with the bounds of 95 % (R. G. Newcombe 1998, method 10)."""
        one, other = self.after.interval, self.before.interval
        if one is None or other is None:
            return None
        p, q = self.after.hit / self.after.runs, self.before.hit / self.before.runs
        low = p - q - sqrt((p - one[0]) ** 2 + (other[1] - q) ** 2)
        high = p - q + sqrt((one[1] - p) ** 2 + (q - other[0]) ** 2)
        return 100 * (p - q), 100 * max(-1.0, low), 100 * min(1.0, high)


@dataclass(frozen=True, slots=True)
class Coordinated:
    """`state`: off (never switched on), few (too few runs on either side), known. `left`: runs that are over and still
    to be counted; `lost_ms`: the time that repeated look-ups took, before and after."""

    workflow: str
    slug: str
    state: str
    on: bool
    since: datetime | None
    until: datetime | None
    counted_from: datetime | None
    by: str
    reason: str
    runs: tuple[int, int]
    lost_ms: tuple[int, int]
    left: int
    kinds: tuple[Compared, ...]
    as_of: datetime


def figures(workflow: Workflow, *, examples: bool = True) -> Coordinated:
    now = timezone.now()
    row = Coordination.objects.filter(workflow=workflow).first()
    if row is None:
        nobody = tuple(Compared(*kind, Side(0, 0, 0), Side(0, 0, 0)) for kind in KINDS)
        named = (workflow.name, workflow.slug)
        return Coordinated(*named, "off", False, None, None, None, "", "", (0, 0), (0, 0), 0, nobody, now)
    sides, left = _counted(row)
    runs = sides[False][0], sides[True][0]
    return Coordinated(
        workflow.name,
        workflow.slug,
        "known" if min(runs) >= ENOUGH else "few",
        row.on,
        row.since,
        row.until,
        row.counted_from,
        row.by,
        row.reason,
        runs,
        (sides[False][1], sides[True][1]),
        left,
        tuple(
            Compared(*kind, *(_side(row, sides[later], place, later, examples) for later in (False, True)))
            for place, kind in enumerate(KINDS)
        ),
        now,
    )


def _counted(row: Coordination) -> tuple[dict[bool, list[int]], int]:
    """By side (later or not): runs, lost milliseconds, then of each kind how often and in how many runs."""
    columns = ", ".join(f"sum({kind}), count(*) filter (where {kind} > 0)" for kind, _, _ in KINDS)
    values: dict[str, Any] = {"space": row.workspace_id, "flow": row.workflow_id, "first": row.counted_from}
    values |= {"since": row.since, "until": row.until}
    with connection.cursor() as cursor:
        cursor.execute(COUNTS.format(columns=columns), values)
        found = {later: [int(each or 0) for each in rest] for later, *rest in cursor.fetchall()}
        cursor.execute(LEFT, values)
        (left,) = cursor.fetchone() or (0,)
    nothing = [0] * (2 + 2 * len(KINDS))
    return {later: found.get(later, nothing) for later in (False, True)}, int(left)


def _side(row: Coordination, counted: list[int], place: int, later: bool, examples: bool) -> Side:
    count, hit = counted[2 + 2 * place : 4 + 2 * place]
    return Side(count, hit, counted[0], _examples(row, KINDS[place][0], later) if hit and examples else ())


def _examples(row: Coordination, kind: str, later: bool) -> tuple[UUID, ...]:
    when = Q(at__gte=row.since) if later else Q(at__gte=row.counted_from, at__lt=row.since)
    if later and row.until:
        when &= Q(at__lt=row.until)
    rows = Mess.objects.filter(when, workspace_id=row.workspace_id, workflow_id=row.workflow_id, **{f"{kind}__gt": 0})
    return tuple(rows.order_by(F("at").desc()).values_list("run_id", flat=True)[:EXAMPLES])
