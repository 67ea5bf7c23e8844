"""Makes the demo's policies, by the steps that admins take: once, so that what people change in them stays."""

from __future__ import annotations

from django.db import transaction

from orchestration.demo import bank
from orchestration.policies import lifecycle
from orchestration.policies.models import Decision, Policy
from orchestration.workspaces.models import User, Workspace


@transaction.atomic
def ensure_policies(workspace: Workspace, by: User) -> None:
    """Only where there is neither a policy nor a decision: with a history each would have to be tried on it first."""
    if Policy.objects.filter(workspace=workspace).exists() or Decision.objects.filter(workspace=workspace).exists():
        return
    for wanted in bank.POLICIES:
        make(workspace, by, wanted)


def make(workspace: Workspace, by: User, wanted: bank.Policy) -> None:
    bodies = [*wanted.live, *[(body, "") for body in (wanted.shadow, wanted.draft) if body]]
    policy_id = lifecycle.create(workspace, wanted.name, by, bodies[0][0], purpose=wanted.purpose).policy_id
    for place, (body, reason) in enumerate(bodies):
        draft = lifecycle.save_draft(policy_id, by, body) if place else None
        if reason:
            number = draft.number if draft else 1
            lifecycle.publish(policy_id, number, by, reason)
        elif body is wanted.shadow:
            lifecycle.start_shadow(policy_id, by)
