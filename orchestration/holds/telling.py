"""Who hears of a verdict, in the transaction that gives it: the ledger, the decision that asked, rules that look back,
agents by webhook, open pages. For as many holds as are answered together, in as many statements as for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from orchestration.holds.models import Answered, Hold
from orchestration.holds.told import told
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.outbox import send

BY_BATON = "baton"

DECISIONS = """
update policies_decision d set verdict = t.verdict, reviewer = t.reviewer, minutes = t.minutes
from unnest(%s::int[], %s::uuid[], %s::text[], %s::text[], %s::float8[])
    as t(workspace_id, id, verdict, reviewer, minutes)
where d.workspace_id = t.workspace_id and d.id = t.id
"""
REFUSED = """
update policies_past p set counts = false from unnest(%s::int[], %s::uuid[]) as t(workspace_id, id)
where p.workspace_id = t.workspace_id and p.decision_id = t.id
"""


@dataclass(frozen=True, slots=True)
class Word:
    """What stands with a decision of what people said. A time that ran out is nobody's verdict, and refuses."""

    workspace_id: int
    decision_id: UUID
    verdict: str
    who: str
    minutes: float | None
    refused: bool


def word(hold: Hold) -> Word | None:
    """None where no decision asked."""
    if hold.decision_id is None:
        return None
    who = hold.reviewer.get_username() if hold.reviewer else BY_BATON
    minutes = (hold.decided_at - hold.opened_at).total_seconds() / 60 if hold.decided_at else None
    refused = hold.verdict == Answered.REJECT
    return Word(hold.workspace_id, hold.decision_id, hold.verdict, who, minutes, refused)


def tell_decisions(words: Sequence[Word]) -> None:
    """What was refused no longer counts for rules that look back."""
    if not words:
        return
    columns: list[list[Any]] = [
        [each.workspace_id for each in words],
        [each.decision_id for each in words],
        [each.verdict for each in words],
        [each.who for each in words],
        [each.minutes for each in words],
    ]
    no = [each for each in words if each.refused]
    with connection.cursor() as cursor:
        cursor.execute(DECISIONS, columns)
        if no:
            cursor.execute(REFUSED, [[each.workspace_id for each in no], [each.decision_id for each in no]])


def tell_agents(holds: Iterable[Hold], event: str) -> None:
    """By webhook; who waits at the door sees the row itself. `holds` as they are stored now."""
    by_place: dict[int, list[Hold]] = {}
    for hold in holds:
        by_place.setdefault(hold.workspace_id, []).append(hold)
    for workspace_id, mine in by_place.items():
        send.announce_all(workspace_id, event, {str(hold.pk): told(vars(hold)) for hold in mine})
        show(workspace_id)


def show(workspace_id: int) -> None:
    """Open pages ask again."""
    transaction.on_commit(lambda: publish(workspace_id, "batch"))


def note(holds: Iterable[Hold], kind: str, who: str, at: datetime) -> None:
    """An entry of the ledger for each; `who` is a user name, "" is Baton."""
    actor = f"person:{who}" if who else BY_BATON
    entries.record_all(
        entries.draft(hold.workspace_id, kind, ("hold", str(hold.pk)), actor, _noted(hold), at) for hold in holds
    )


def _noted(hold: Hold) -> dict[str, object]:
    return {
        "verdict": hold.verdict,
        "noted": bool(hold.note),
        "decision": str(hold.decision_id) if hold.decision_id else None,
        "policy": hold.policy,
        "version": hold.version,
        "run": hold.run,
        "revision": hold.revision,
    } | ({"precedent": str(hold.precedent_id)} if hold.precedent_id else {})
