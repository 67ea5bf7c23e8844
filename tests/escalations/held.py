"""Holds and the decisions that opened them, in bulk: what the inbox has to take in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.holds.models import Hold
from orchestration.policies.models import Decision
from orchestration.workspaces.models import Workspace

Asked = Mapping[str, Any]


def holds(space: Workspace, asked: Iterable[Asked], **more: Any) -> list[Hold]:
    """One for each: `amount`, `context`, `arguments`, `evidence` of the act; the rest are columns of the hold."""
    pairs = [_pair(space, place, dict(each) | more) for place, each in enumerate(asked)]
    Decision.objects.bulk_create([decision for _, decision in pairs], batch_size=1000)
    return Hold.objects.bulk_create([hold for hold, _ in pairs], batch_size=1000)


def questions(space: Workspace, texts: Iterable[str], **more: Any) -> list[Hold]:
    """An agent's own, in words."""
    values = {"agent": "front-desk", "application": "desk", "proposal": "Answer it", "why": "Not sure"} | more
    return Hold.objects.bulk_create(
        [Hold(id=uuid7(), workspace=space, source="agent", question=text, **values) for text in texts]
    )


def _pair(space: Workspace, place: int, given: dict[str, Any]) -> tuple[Hold, Decision]:
    decision_id, hold_id = uuid7(), uuid7()
    at = given.pop("opened_at", None) or timezone.now() - timedelta(minutes=10) + timedelta(milliseconds=place)
    amount, context, arguments = given.pop("amount", None), given.pop("context", {}), given.pop("arguments", {})
    evidence, action = given.pop("evidence", []), given.pop("action", "refund")
    values = {
        "agent": "refund-bot",
        "application": "desk",
        "question": f"May refund-bot {action}?",
        "proposal": action,
        "why": "Above the limit",
        "policy": "refund-limit",
        "version": 3,
        "skill": "refunds",
        "due_at": at + timedelta(minutes=30),
    } | given
    facts = {
        "agent.name": values["agent"],
        "action.type": action,
        "action.amount": amount,
        "action.arguments": arguments,
        "context": context,
        "evidence.kinds": [each["kind"] for each in evidence],
    }
    seen = {"decision_id": decision_id, "evidence": evidence, "opened_at": at}
    hold = Hold(id=hold_id, workspace=space, source="decision", **seen, **values)
    decision = Decision(
        workspace=space,
        id=decision_id,
        at=at,
        agent=values["agent"],
        application=values["application"],
        action_type=action,
        system="payments",
        amount=amount,
        currency="USD" if amount is not None else "",
        effect="hold",
        version=values["version"],
        facts=facts,
        answer={"effect": "hold", "missing": []},
        hold_id=hold_id,
    )
    return hold, decision
