"""Where a run was stopped or let through: its decisions and questions to people, each with its rule, what a person said
and its receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from orchestration.holds.models import Answered, Hold, State
from orchestration.ledger.models import Entry
from orchestration.policies.asks import TEXT_CHARS
from orchestration.policies.models import Decision
from orchestration.workflows.runs import RunLine

MOST = 50
_VERDICTS = {"approve": "approved", "reject": "rejected", "amend": "changed and approved", "more": "asked for more"}


@dataclass(frozen=True, slots=True)
class Gate:
    """`tone`: ok (went on), human (waits or waited for a person), deny. `said`: of a person; `words`: why, with values
    that agents sent."""

    at: datetime
    agent: str
    what: str
    amount: str
    effect: str
    policy: str
    version: int | None
    words: str
    hold: UUID | None
    state: str
    said: str
    who: str
    tone: str
    receipt: UUID | None


def gates(workspace_id: int, run: RunLine) -> list[Gate]:
    """In the order of time, the first `MOST`."""
    names = _names(run)
    decided = list(_decisions(workspace_id, run.id, names).defer("facts", "shadow")[:MOST])
    holds = _holds(workspace_id, run.id, names, [row.id for row in decided])
    of_decision = {hold.decision_id: hold for hold in holds if hold.decision_id}
    asked = [hold for hold in holds if not hold.decision_id]
    entries = receipts(workspace_id, [str(row.id) for row in decided] + [str(hold.pk) for hold in asked])
    found = [_decided(row, of_decision.get(row.id), entries) for row in decided]
    found += [_asked(hold, entries) for hold in asked]
    return sorted(found, key=lambda gate: gate.at)[:MOST]


def decisions_of(workspace_id: int, run: RunLine) -> list[Decision]:
    """With the facts they were made on, as far as these are kept; in the order of time, the first `MOST`."""
    return list(_decisions(workspace_id, run.id, _names(run)).defer("shadow")[:MOST])


def _names(run: RunLine) -> list[str]:
    names = [str(run.id), run.id.hex, *run.trace_ids, *([run.external_key] if run.external_key else [])]
    return [name[:TEXT_CHARS] for name in names]


def _decisions(workspace_id: int, run_id: UUID, names: Sequence[str]) -> QuerySet[Decision]:
    """By what the asks called the run, which is remembered for rules that look back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select decision_id from policies_past where workspace_id = %s and subject = 'run' and value = any(%s) "
            "order by at limit %s",
            [workspace_id, list(names), MOST],
        )
        ids = [row[0] for row in cursor]
    return Decision.objects.filter(Q(id__in=ids) | Q(run_id=run_id), workspace_id=workspace_id).order_by("at")


def _holds(workspace_id: int, run_id: UUID, names: Sequence[str], decided: Sequence[UUID]) -> list[Hold]:
    mine = Q(run_id=run_id) | Q(run__in=names) | Q(decision_id__in=decided)
    found = Hold.objects.filter(mine, workspace_id=workspace_id).select_related("reviewer")
    return list(found.order_by("opened_at")[: 2 * MOST])


def receipts(workspace_id: int, subjects: Sequence[str]) -> dict[str, UUID]:
    """The entries of the ledger about decisions and holds, by the id of each."""
    found = Entry.objects.filter(
        workspace=workspace_id,
        subject_kind__in=["decision", "hold"],
        subject_id__in=subjects,
        kind__in=["decision", "hold.opened"],
    )
    return dict(found.values_list("subject_id", "id"))


def _decided(row: Decision, hold: Hold | None, receipts: dict[str, UUID]) -> Gate:
    reasons: list[dict[str, Any]] = row.answer.get("reasons") or [{}]
    return Gate(
        at=row.at,
        agent=row.agent,
        what=row.action_type,
        amount=_amount(row.amount, row.currency),
        effect=row.effect,
        policy=str(reasons[0].get("policy") or ""),
        version=row.version,
        words=str(reasons[0].get("words") or ""),
        receipt=receipts.get(str(row.id)),
        **_verdict(hold, row.effect),
    )


def _asked(hold: Hold, receipts: dict[str, UUID]) -> Gate:
    return Gate(
        at=hold.opened_at,
        agent=hold.agent,
        what="asked a person",
        amount="",
        effect="hold",
        policy=hold.policy,
        version=hold.version,
        words=hold.question,
        receipt=receipts.get(str(hold.pk)),
        **_verdict(hold, "hold"),
    )


def _verdict(hold: Hold | None, effect: str) -> dict[str, Any]:
    if hold is None:
        return {"hold": None, "state": "", "said": "", "who": "", "tone": "deny" if effect == "deny" else "ok"}
    said = _VERDICTS.get(hold.verdict, "") if hold.state != State.EXPIRED else "nobody answered in time"
    who = hold.reviewer.get_username() if hold.reviewer else "a precedent" if hold.precedent_id else ""
    tone = "human" if not hold.verdict else "deny" if hold.verdict == Answered.REJECT else "ok"
    return {"hold": hold.pk, "state": hold.state, "said": said, "who": who, "tone": tone}


def _amount(amount: Decimal | None, currency: str) -> str:
    return "" if amount is None else f"{amount.normalize():,f} {currency}".rstrip()
