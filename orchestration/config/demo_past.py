"""What the demo's own reviewers said in the month before: without it nobody's pace or agreement is known on the first
day. Past verdicts of the bank's agents are told through the API, as strangers would; these two are people of this
Baton, whose cases only Baton itself knows."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.utils.text import slugify
from uuid_utils.compat import uuid7

from escalations.models import Escalation, Found, Sample
from orchestration.holds.models import Answered, Hold, Source, State
from orchestration.policies.models import Decision
from orchestration.workflows.models import Workflow
from orchestration.workspaces.models import User, Workspace

DAYS = 28
EACH = {"reviewer": 44, "admin": 31}  # verdicts of a person on a topic
LATE_S = 1500  # what people let cases wait at most
# what a case of the topic takes of a person, in seconds, and which share is turned down; who asks what
TOPICS: dict[str, tuple[int, float, str, str]] = {
    "refunds": (70, 0.06, "refund", "May this refund be paid out?"),
    "fraud": (150, 0.22, "refund", "Is this customer's third refund honest?"),
    "accounting": (95, 0.08, "invoice-matcher", "Does this invoice belong to the order?"),
    "cards": (55, 0.04, "card-desk", "May this card's limit be raised?"),
    "identity": (105, 0.12, "kyc-screener", "Is this the same person?"),
    "compliance": (170, 0.15, "kyc-screener", "Is this a match on the list?"),
    "credit": (210, 0.18, "credit-analyst", "May this loan be offered?"),
    "treasury": (120, 0.05, "payments", "May this payment leave today?"),
}
# which share of its runs the bank wants to end without a person
TARGETS = {"Refund request": 0.7, "Card limit change": 0.6, "Invoice matching": 0.75, "Billing question": 0.95}
LOOKED, WRONG, WAITING = 34, 1, 8  # of what went through alone


def tell(workspace: Workspace, now: datetime) -> None:
    rng, holds, cases = Random(5), [], []  # noqa: S311  the same past each time
    for name, count in EACH.items():
        person = User.objects.get(username=name)
        for topic in TOPICS:
            for _ in range(count):
                hold = _hold(workspace, person, topic, now, rng)
                holds.append(hold)
                cases.append(_case(hold, TOPICS[topic][0] * rng.lognormvariate(0, 0.4)))
    Hold.objects.bulk_create(holds, batch_size=500)
    Escalation.objects.bulk_create(cases, batch_size=500)
    _samples(workspace, now, rng)
    for name, target in TARGETS.items():
        wanted = {"slug": slugify(name), "alone_target": target}
        Workflow.objects.update_or_create(workspace=workspace, name=name, defaults=wanted)


def _hold(workspace: Workspace, person: User, topic: str, now: datetime, rng: Random) -> Hold:
    """The few that others would have decided otherwise are what agreement is measured by."""
    _, refused, agent, question = TOPICS[topic]
    opened = now - timedelta(days=rng.uniform(1, DAYS))
    decided = opened + timedelta(seconds=rng.uniform(60, LATE_S))
    no = rng.random() < refused
    said: dict[str, Any] = (
        {"verdict": Answered.REJECT, "note": "Against policy."} if no else {"verdict": Answered.APPROVE}
    )
    return Hold(
        id=uuid7(),
        workspace=workspace,
        source=Source.AGENT,
        state=State.APPLIED,
        revision=2,
        looked=2,
        agent=agent,
        question=question,
        proposal="Go on as proposed.",
        why="Above what the agent may decide alone.",
        skill=topic,
        opened_at=opened,
        due_at=decided + timedelta(minutes=30),
        reviewer=person,
        decided_at=decided,
        apply_at=decided + timedelta(seconds=10),
        applied_at=decided + timedelta(seconds=10),
        **said,
    )


def _case(hold: Hold, seconds: float) -> Escalation:
    return Escalation(
        hold_id=hold.pk,
        workspace=hold.workspace,
        key=hashlib.sha256(f"past {hold.skill}".encode()).hexdigest(),
        agent=hold.agent,
        skill=hold.skill,
        text=hold.question,
        open=False,
        opened_at=hold.opened_at,
        due_at=hold.due_at,
        closed_at=hold.decided_at,
        subjects=[],
        seconds=round(seconds, 1),
    )


def _samples(workspace: Workspace, now: datetime, rng: Random) -> None:
    """Decisions of the days before that nobody had to look at, and what was found of them."""
    decisions, samples = [], []
    for place in range(LOOKED + WAITING):
        at = now - timedelta(days=rng.uniform(1, 20))
        decision = _passed(workspace, at, round(rng.uniform(110, 480), 2))
        found = "" if place >= LOOKED else Found.WRONG if place < WRONG else Found.RIGHT
        seen = {"seen_at": at + timedelta(days=1), "seen_by": User.objects.get(username="reviewer")} if found else {}
        drawn = {"chance": rng.uniform(0.02, 0.2), "stratum": "100 to 1,000 · allow · no policy"}
        samples.append(Sample(decision_id=decision.id, workspace=workspace, at=at, found=found, **drawn, **seen))
        decisions.append(decision)
    Decision.objects.bulk_create(decisions)
    Sample.objects.bulk_create(samples)


def _passed(workspace: Workspace, at: datetime, amount: float) -> Decision:
    return Decision(
        workspace=workspace,
        id=uuid7(),
        at=at,
        imported=True,
        agent="refund",
        application="refunds",
        action_type="refund",
        system="payments",
        amount=amount,
        currency=workspace.currency,
        effect="allow",
        facts={"action.amount": amount, "context": {"item_back": True, "reason": "not as described"}},
        answer={"effect": "allow"},
    )
