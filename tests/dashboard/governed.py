"""A workspace in which agents have asked: a policy, a decision, a hold, their receipts, a webhook and an invitation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from escalations import intake
from escalations.models import Batch, Precedent
from orchestration.autonomy import ordering
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.models import Kind, Target
from orchestration.autonomy.ordering import Wish
from orchestration.handoffs import sending
from orchestration.handoffs.given import Speaker
from orchestration.holds.models import Hold
from orchestration.ledger import chain, entries
from orchestration.outbox.models import Endpoint
from orchestration.policies.models import Policy
from orchestration.workflows import declared
from orchestration.workflows.definition import parse
from orchestration.workspaces.models import User, Workspace
from tests.control import flows
from tests.dashboard.policy_scene import decided, draft, published

SECRET = "rosebud"  # stands in everything, so that one word tells whether anything came through


@dataclass(frozen=True, slots=True)
class Governed:
    policy: Policy
    hold: Hold
    entry: UUID
    hook: Endpoint
    batch: UUID
    action: UUID
    precedent: UUID
    handoff: UUID
    declared: UUID

    @property
    def names(self) -> dict[str, object]:
        """What fills the holes of an address."""
        return {
            "hold": self.hold.pk,
            "batch": self.batch,
            "entry": self.entry,
            "hook": self.hook.pk,
            "action": self.action,
            "precedent": self.precedent,
            "handoff": self.handoff,
            "declared": self.declared,
        }


def govern(space: Workspace, by: User) -> Governed:
    """The policy's slug is `rosebud`; it has a live version, 1, and a draft, 2, of another one."""
    policy = published(space, by, SECRET)
    draft(space, by, f"{SECRET} draft")
    (asked,) = decided(space, 1, policy_id=policy.pk, version=1, agent=SECRET, action_type=SECRET)
    hold = Hold.objects.create(
        workspace=space, source="decision", agent=SECRET, question=SECRET, proposal=SECRET, why=SECRET
    )
    told = {"effect": "hold", "action": SECRET, "matches": {"hold": [f"{SECRET}@1"]}}
    entry = entries.record(
        space.pk, "decision", ("decision", str(asked.pk)), f"agent:{SECRET}", told, datetime.now(UTC)
    )
    chain.link()
    steps = [{"id": SECRET, "owner": {"agent": SECRET}}]
    declared.save(space.pk, parse({"name": "Refund", "steps": steps}), f"person:{SECRET}")  # version 1, a draft
    flows.declare(space, flows.step("pay"), name=f"{SECRET} flow")
    run = flows.begin(space, f"{SECRET} flow")
    hook = Endpoint.objects.create(workspace=space, url=f"https://{SECRET}.example/", events=["hold.opened"])
    intake.take_in()
    batch = Batch.objects.get(workspace=space).pk
    paused = ordering.order(
        space.pk, Wish(Kind.PAUSE, f"person:{SECRET}", SECRET, SECRET), Aim(Target.AGENT, "1", SECRET), proposed=True
    )
    envelope = {"version": 1, "run": SECRET, "from": SECRET, "to": "billing", "asked": SECRET, "done": [SECRET]}
    envelope |= {"evidence": [SECRET], "open_questions": [], "constraints": [], "data_classes": []}
    handed = sending.send(Speaker(space.pk, 0), envelope, "")
    now = datetime.now(UTC)
    kept = Precedent.objects.create(
        workspace=space,
        hold_id=hold.pk,
        key=SECRET,
        title=SECRET,
        agent=SECRET,
        verdict="approve",
        reason=SECRET,
        said_by=by,
        said_at=now,
        expires_at=now + timedelta(days=30),
    )
    return Governed(policy, hold, entry, hook, batch, paused.pk, kept.pk, handed.pk, run.id)
