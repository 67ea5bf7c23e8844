"""What people said of an agent's asks, and what came of them, as `fitting` learns from it; and when to learn anew.

Decisions keep what people said of them, those made here and those told of an earlier time, so that a new inbox does
not begin as if nobody had ever decided anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import structlog
from celery import current_app
from django.db import connection
from django.utils import timezone

from escalations import fitting
from escalations.models import Odds
from orchestration.holds.likeness import Plain, fields_of
from orchestration.lib.stats import ENOUGH
from orchestration.policies.replay_report import BAD

TASK = "escalations.tasks.learn"
MOST = 2_000  # the latest of each act
DAYS = 90
GROWN = 1.1  # times as many as it was learnt from
MOST_AT_ONCE = 50
DUE = f"""
select d.workspace_id, d.agent, d.action_type, count(*) n from policies_decision d
where d.verdict <> '' and d.at > now() - interval '{DAYS} days' and d.action_type <> ''
group by 1, 2, 3 having count(*) >= {ENOUGH}
"""
JUDGED = f"""
select action_type, amount, facts, verdict, outcome from policies_decision
where workspace_id = %s and agent = %s and action_type = %s and verdict <> '' and at > now() - interval '{DAYS} days'
order by at desc limit {MOST}
"""
_COLUMNS = ("action_type", "amount", "facts", "verdict", "outcome")


def due() -> list[tuple[int, str, str, int]]:
    """Workspace, agent, act and number of verdicts, where there are clearly more than when it was last learnt."""
    known = {
        (workspace_id, agent, action): judged
        for workspace_id, agent, action, judged in Odds.objects.values_list(
            "workspace_id", "agent", "action_type", "judged"
        )
    }
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        found = [(int(row[0]), str(row[1]), str(row[2]), int(row[3])) for row in cursor.fetchall()]
    return [each for each in found if min(each[3], MOST) >= GROWN * known.get(each[:3], 0)][:MOST_AT_ONCE]


def sweep(more: Sequence[object] = ()) -> int:
    """The clock: have it learnt, in the process that ends afterwards, and whatever `more` there is to do in it. Returns
    how much it is."""
    found = len(due()) + len(more)
    if found:
        try:
            current_app.send_task(TASK, expires=60.0, retry=False, ignore_result=True)
        except Exception as error:  # kombu's and redis' own, of many kinds: the next sweep tries again
            structlog.get_logger(__name__).warning("nudge_failed", error=type(error).__name__)
    return found


def learn() -> list[tuple[int, str, str]]:
    """What is due, each act for itself; returns which."""
    found = [each[:3] for each in due()]
    for act in found:
        learn_one(*act)
    return found


def learn_one(workspace_id: int, agent: str, action: str) -> Odds:
    seen = list(judged(workspace_id, agent, action))
    values = {
        "judged": len(seen),
        "wrong": sum(wrong for _, wrong in seen),
        "model": fitting.fit(seen),
        "learnt_at": timezone.now(),
    }
    return Odds.objects.update_or_create(workspace_id=workspace_id, agent=agent, action_type=action, defaults=values)[0]


def judged(workspace_id: int, agent: str, action: str) -> Iterator[tuple[dict[str, Plain], bool]]:
    """Fields of the latest cases, and whether approving them as they were was, or would have been, wrong."""
    with connection.cursor() as cursor:
        cursor.execute(JUDGED, [workspace_id, agent, action])
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        row["facts"] = orjson.loads(row["facts"]) if isinstance(row["facts"], str) else row["facts"]
        yield past_fields(row), row["verdict"] in ("reject", "amend") or row["outcome"].casefold() in BAD


def past_fields(decision: Mapping[str, Any]) -> dict[str, Plain]:
    kinds = decision["facts"].get("evidence.kinds") or []
    return fields_of({"evidence": [{"kind": kind} for kind in kinds]}, decision)
