"""The sample as people look at it: which decisions wait to be looked at, and what is said of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from escalations.models import Found, Sample
from escalations.sampling import risk
from escalations.words import label, shown
from orchestration.ledger import entries
from orchestration.policies.models import Decision
from orchestration.workspaces.models import User

SHOWN = 20
MOST_FACTS = 12
NOTE_CHARS = 2000
_OPEN = ("context", "action.arguments")


@dataclass(frozen=True, slots=True)
class Line:
    """One to be looked at; `facts` are names and values it was decided on, () for who may not read content."""

    id: UUID
    at: datetime
    agent: str
    act: str
    amount: str
    stratum: str
    run: UUID | None
    facts: list[tuple[str, str]]


def waiting(workspace_id: int, *, reads: bool) -> list[Line]:
    """What costs most if it is wrong comes first."""
    rows = list(Sample.objects.filter(workspace_id=workspace_id, found="").order_by("-drawn_at")[:200])
    rows.sort(key=lambda row: (-risk(row.stratum), row.at, row.decision_id))
    rows = rows[:SHOWN]
    known = {each.id: each for each in Decision.objects.filter(workspace=workspace_id, id__in=[row.pk for row in rows])}
    return [_line(row, known[row.pk], reads) for row in rows if row.pk in known]


def _line(row: Sample, decision: Decision, reads: bool) -> Line:
    amount = "" if decision.amount is None else f"{decision.amount:,.2f} {decision.currency}".strip()
    facts = _facts(decision.facts) if reads else []
    return Line(row.pk, row.at, decision.agent, decision.action_type, amount, row.stratum, decision.run_id, facts)


def _facts(facts: dict[str, Any]) -> list[tuple[str, str]]:
    flat: dict[str, Any] = {}
    for name in _OPEN:
        inner = facts.get(name)
        flat |= {f"{name}.{key}": value for key, value in inner.items()} if isinstance(inner, dict) else {}
    plain = {name: value for name, value in flat.items() if isinstance(value, str | int | float | bool)}
    return [(label(name), str(shown(name, value))[:200]) for name, value in plain.items()][:MOST_FACTS]


def judge(workspace_id: int, decision_id: UUID, found: Found, note: str, by: User) -> bool:
    """Whether it was this one that said it: the first word stands, with a receipt."""
    now, said = timezone.now(), note.strip()[:NOTE_CHARS]
    with transaction.atomic():
        mine = Sample.objects.filter(workspace_id=workspace_id, decision_id=decision_id, found="")
        if not mine.update(found=found, note=said, seen_by=by, seen_at=now):
            return False
        told = {"found": str(found), "noted": bool(said)}
        actor = f"person:{by.get_username()}"
        entries.record(workspace_id, "sample.judged", ("decision", str(decision_id)), actor, told, now)
    return True
