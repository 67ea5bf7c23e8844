"""Stores decisions that were made elsewhere, beside Baton's own and marked as imported.

Whatever comes twice, in any order, and a verdict before its decision gives the same row: words once said stay, and what
a row does not know yet is filled in. Baton's own decisions are never touched: their ids are of another kind, and the
statement takes imported rows only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import connection, transaction
from django.utils import timezone

from orchestration.control import facts as known
from orchestration.control.decide import clean
from orchestration.control.recorded import SYNTHETIC
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.policies import asks, elsewhere
from orchestration.policies.effects import Kind
from orchestration.policies.elsewhere import DECIDED, Told
from orchestration.telemetry.redaction import redact_attributes, redact_text
from orchestration.workspaces.models import Workspace

_FILLED = (  # what a row has from its decision, and lacks while only its verdict is known
    *(
        "at",
        "agent",
        "application",
        "agent_id",
        "action_type",
        "system",
        "amount",
        "currency",
        "run",
        "facts",
        "answer",
    ),
)
_SAID = {  # what may come later
    "verdict": "coalesce(nullif(excluded.verdict, ''), d.verdict)",
    "reviewer": "coalesce(nullif(excluded.reviewer, ''), d.reviewer)",
    "minutes": "coalesce(excluded.minutes, d.minutes)",
    "outcome": "coalesce(nullif(excluded.outcome, ''), d.outcome)",
    "reason": "coalesce(excluded.reason, d.reason)",
}
_STUB = "d.action_type = '' and excluded.action_type <> ''"
_EFFECT = (
    "case when (d.action_type = '' or excluded.action_type = '') and 'hold' in (d.effect, excluded.effect) "
    f"then 'hold' when {_STUB} then excluded.effect else d.effect end"
)
_CHANGES = (
    {name: f"case when {_STUB} then excluded.{name} else d.{name} end" for name in _FILLED}
    | _SAID
    | {"effect": _EFFECT}
)
STORE = f"""
insert into policies_decision as d
select r.* from jsonb_populate_recordset(null::policies_decision, %s::jsonb) r order by r.id
on conflict (workspace_id, id) do update set {", ".join(f"{name} = {value}" for name, value in _CHANGES.items())}
where d.imported and ({", ".join(f"d.{name}" for name in _CHANGES)}) is distinct from ({", ".join(_CHANGES.values())})
returning (xmax = 0)
"""


def read(event: dict[str, Any], at_ns: int) -> Told:
    """For `telemetry.events.decode_events`: at the door and in the digest the very same."""
    return elsewhere.read(event, datetime.fromtimestamp(at_ns // 1000 / 1e6, UTC))


@dataclass(frozen=True, slots=True)
class Stored:
    new: int = 0
    changed: int = 0


def store(workspace: Workspace, told: Sequence[Told], by: str) -> Stored:
    """In the caller's transaction. `by`: who brings them, for the receipt."""
    merged: dict[Any, Told] = {}
    for each in told:
        merged[each.id] = _merged(merged[each.id], each) if each.id in merged else each
    if not merged:
        return Stored()
    rows = [_row(workspace, each) for each in merged.values()]
    with connection.cursor() as cursor:
        cursor.execute(STORE, [orjson.dumps(rows, default=str).decode()])
        fresh = [bool(row[0]) for row in cursor]
    found = Stored(sum(fresh), len(fresh) - sum(fresh))
    if fresh:
        transaction.on_commit(lambda: publish(workspace.pk, "policy"))
        counts = {"new": found.new, "changed": found.changed}
        entries.record(
            workspace.pk, "decisions.imported", ("workspace", workspace.slug), by or "baton", counts, timezone.now()
        )
    return found


def _merged(one: Told, other: Told) -> Told:
    """What is told of the same decision in one go, in any order."""
    whole, later = (one, other) if one.ask else (other, one)
    return replace(
        whole,
        effect=Kind.HOLD.value if DECIDED in (one.type, other.type) else whole.effect or later.effect,
        verdict=other.verdict or one.verdict,
        reviewer=other.reviewer or one.reviewer,
        minutes=one.minutes if other.minutes is None else other.minutes,
        outcome=other.outcome or one.outcome,
        reason=other.reason or one.reason,
    )


def _row(workspace: Workspace, told: Told) -> dict[str, Any]:
    ask = clean(told.ask) if told.ask else None
    who = known.who(workspace.pk, told.agent) or known.look_up(workspace.pk, told.agent) if told.agent else None
    at = told.at - timedelta(minutes=told.minutes or 0) if ask is None else told.at  # a verdict comes afterwards
    facts: dict[str, Any] = {}
    if ask:
        facts = asks.facts_of(ask, at, ZoneInfo(workspace.zone), workspace.currency)
        facts |= {**(who.facts if who else {}), **redact_attributes(dict(told.more))[0]}
    effect = told.effect or (Kind.HOLD.value if told.verdict else Kind.ALLOW.value)
    answer = {"effect": effect, "imported": True, "reasons": []}
    return {
        "workspace_id": workspace.pk,
        "id": str(told.id),
        "at": at.isoformat(),
        "agent": facts.get("agent.name", told.agent),
        "application": facts.get("agent.application", ""),
        "agent_id": who.agent_id if who else 0,
        "action_type": ask.type if ask else "",
        "system": ask.system if ask else "",
        "amount": str(ask.amount) if ask and ask.amount is not None else None,
        "currency": facts.get("action.currency", ""),
        "run": told.run,
        "effect": effect,
        "facts": asks.stored(facts),
        "answer": answer | ({"time": SYNTHETIC} if told.timeless else {}),
        "degraded": False,
        "key_id": 0,
        "imported": True,
        "received_at": timezone.now().isoformat(),
        "verdict": told.verdict,
        "reviewer": redact_text(told.reviewer)[0],
        "minutes": told.minutes,
        "outcome": redact_text(told.outcome)[0],
        "reason": redact_text(told.reason)[0] or None,
    }
