"""Changes that take two people, beside publishing: one admin asks, another agrees. Who asks can never agree, and what
is agreed to is exactly what was asked: a wish that differs in anything takes the place of the one before.

The caller holds the lock of the policy, or of the rulebook, so two presses at once come one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from orchestration.ledger import entries
from orchestration.policies.models import Act, Policy, Proposal
from orchestration.workspaces.models import User, Workspace


def agreed(
    workspace: Workspace, policy: Policy | None, act: Act, told: Mapping[str, Any], by: User, reason: str = ""
) -> Proposal | None:
    """The proposal to which this press agrees: the act may be done, and it is settled. None: from now on it waits for
    another admin."""
    found = Proposal.objects.select_for_update().filter(workspace=workspace, policy=policy, act=act).first()
    same = found is not None and found.told == dict(told)
    if found and same and found.asked_by_id != by.pk:
        settled, _ = Proposal.objects.filter(pk=found.pk).delete()
        return found if settled else None
    if found and same:
        return None
    if found:
        found.delete()
    made = Proposal.objects.create(
        workspace=workspace, policy=policy, act=act, told=dict(told), asked_by=by, reason=reason.strip()[:400]
    )
    _note(made, "asked", by)
    return None


def open_of(workspace: Workspace) -> QuerySet[Proposal]:
    return Proposal.objects.filter(workspace=workspace).select_related("policy", "asked_by").order_by("asked_at")


def drop(proposal_id: UUID, workspace: Workspace, by: User) -> Proposal | None:
    """Taken back by who asked, or turned down by another. None: it was settled before."""
    with transaction.atomic():
        found = open_of(workspace).select_for_update(of=("self",)).filter(pk=proposal_id).first()
        if found:
            Proposal.objects.filter(pk=found.pk).delete()
            _note(found, "withdrawn" if found.asked_by_id == by.pk else "turned_down", by)
    return found


def _note(proposal: Proposal, kind: str, by: User) -> None:
    policy = proposal.policy
    told = {"act": proposal.act, **proposal.told, "reason": proposal.reason}
    subject = ("policy", str(policy.pk)) if policy else ("workspace", proposal.workspace.slug)
    told = {"policy": policy.slug, **told} if policy else told
    kind = f"{'policy' if policy else 'rules'}.{kind}"
    entries.record(proposal.workspace_id, kind, subject, f"person:{by.get_username()}", told, timezone.now())
