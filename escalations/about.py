"""What a batch says of itself beside its cases: how such cases usually ended, and how many would be wrong if all that
is selected were approved. Figures with their counts; below thirty, counts only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from escalations import odds
from escalations.models import Batch, Escalation, Odds
from escalations.odds import Expected
from orchestration.lib.stats import ENOUGH, wilson

DAYS = 90
SAME_KEY = """
select coalesce(nullif(h.verdict, ''), 'expired'), count(*) from escalations_escalation e
join holds_hold h on h.id = e.hold_id
where e.workspace_id = %s and e.key = %s and not e.open and h.state in ('decided', 'applied')
and h.precedent_id is null group by 1
"""
SAME_ACT = f"""
select verdict, count(*) from policies_decision where workspace_id = %s and agent = %s and action_type = %s
and verdict <> '' and at > now() - interval '{DAYS} days' group by 1
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How cases ended that people decided. `exact`: cases of the very same kind; else all of this agent and act, which
    includes what was decided before Baton came."""

    cases: int
    approved: int
    rejected: int
    amended: int
    more: int
    exact: bool

    @property
    def rate(self) -> float | None:
        """Share approved unchanged; None while too few were decided for a share to mean anything."""
        return self.approved / self.cases if self.cases >= ENOUGH else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.approved, self.cases) if self.cases >= ENOUGH else None


def ended(batch: Batch, first: Escalation | None) -> Ended:
    """`first`: any case of the batch; it names the act."""
    same = _counted(SAME_KEY, [batch.workspace_id, batch.key], exact=True)
    if same.cases >= ENOUGH or first is None or not first.action_type:
        return same
    act = _counted(SAME_ACT, [batch.workspace_id, first.agent, first.action_type], exact=False)
    return act if act.cases > same.cases else same


def wrong_if_approved(cases: Iterable[Escalation]) -> Expected | None:
    """Of the given ones, all of one batch, if all are approved as they are; None: not enough data."""
    chosen = list(cases)
    if not chosen or not chosen[0].action_type:
        return None
    first = chosen[0]
    known = Odds.objects.filter(
        workspace_id=first.workspace_id, agent=first.agent, action_type=first.action_type
    ).first()
    return odds.expected(known.model if known else None, [case.risk for case in chosen])


def _counted(sql: str, values: list[object], *, exact: bool) -> Ended:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)  # type: ignore[arg-type]
        counts = {str(verdict): int(count) for verdict, count in cursor.fetchall()}
    yes, no, amended, more = (counts.get(verdict, 0) for verdict in ("approve", "reject", "amend", "more"))
    return Ended(yes + no + amended + more, yes, no, amended, more, exact)
