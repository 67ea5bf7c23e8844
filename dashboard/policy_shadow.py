"""What a version in shadow would have said otherwise, decision by decision, and what it still has to see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import BadRequest
from django.urls import reverse

from dashboard.narrowing import Pages
from dashboard.policy_words import grouped
from orchestration.control import gates
from orchestration.lib.paging import BadCursor
from orchestration.lib.templatetags.baton import plural
from orchestration.policies import shadows
from orchestration.policies.effects import WORDS, Kind
from orchestration.policies.models import Policy
from orchestration.policies.shadows import Difference, Seen

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Differs:
    """`receipt`: of the decision, which is where it can be read in full."""

    at: datetime
    what: str
    agent: str
    amount: str
    was: str
    would: str
    milder: bool
    run_id: UUID | None
    receipt: UUID | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A shadow as its policy's page shows it."""

    seen: Seen
    rows: list[Differs]
    pages: Pages


def trial(policy: Policy, cursor: str) -> Trial:
    """Raises BadRequest for a cursor that this list did not give out."""
    try:
        found = shadows.latest(policy, SHOWN, cursor or None)
    except BadCursor as error:
        raise BadRequest("The cursor is not one that this list gave out.") from error
    seen = shadows.seen(policy)
    receipts = gates.receipts(policy.workspace_id, [str(each.id) for each in found.items])
    here = reverse("dashboard:policy", args=[policy.slug])
    every = plural(seen.differ, "answer that differs,answers that differ")
    words = every if len(found.items) == seen.differ else f"{len(found.items)} of {every}"
    older = f"{here}?{urlencode({'cursor': found.next})}" if found.next else ""
    return Trial(
        seen=seen,
        rows=[_row(each, receipts) for each in found.items],
        pages=Pages(words, here if cursor else "", older),
    )


def _row(found: Difference, receipts: dict[str, UUID]) -> Differs:
    return Differs(
        at=found.at,
        what=found.action_type,
        agent=found.agent,
        amount="" if found.amount is None else grouped(found.amount),
        was=WORDS[Kind(found.was)],
        would=WORDS[Kind(found.would)],
        milder=found.looser,
        run_id=found.run_id,
        receipt=receipts.get(str(found.id)),
    )
