"""What holds for a workspace's policies as a whole, and what a policy is beside its versions: each change is one
transaction with its ledger entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orchestration.ledger import entries
from orchestration.policies import live
from orchestration.policies.effects import STRICTNESS, Kind
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import Policy, Rulebook
from orchestration.workspaces.models import User, Workspace

MOST_DECISIONS, MOST_DAYS = 1_000_000, 365
DEFAULTS = (Kind.ALLOW, Kind.HOLD, Kind.DENY)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a shadow has to have seen: so many decisions, in so many days, with at least this share of equal answers."""

    decisions: int
    days: int
    agreement: float = 0.0

    @classmethod
    def of(cls, policy: Policy) -> Gate:
        return cls(policy.shadow_decisions, policy.shadow_days, policy.shadow_agreement)

    def checked(self) -> Gate:
        """Raises NotNow."""
        if not (0 <= self.decisions <= MOST_DECISIONS and 0 <= self.days <= MOST_DAYS):
            raise NotNow(f"A shadow is asked for at most {MOST_DECISIONS:,} decisions and {MOST_DAYS} days.")
        if not 0 <= self.agreement <= 1:
            raise NotNow("The least agreement is a share from 0 to 100%.")
        return replace(self, agreement=round(self.agreement, 4))

    def told(self) -> dict[str, Any]:
        """As an entry of the ledger says it; shares are texts there."""
        return {"decisions": self.decisions, "days": self.days, "agreement": f"{self.agreement * 100:g}%"}


def rulebook(workspace: Workspace) -> Rulebook:
    return Rulebook.objects.get_or_create(workspace=workspace)[0]


def set_default(workspace: Workspace, kind: str, by: User) -> None:
    """What is answered when no policy speaks. Where two people are asked for, one alone does not loosen it."""
    if kind not in DEFAULTS:
        raise NotNow("When no policy speaks an agent acts alone, a person is asked, or it is refused.")
    with transaction.atomic():
        book = _locked(workspace)
        if book.default_effect == kind:
            return
        if book.two_people and STRICTNESS[Kind(kind)] < STRICTNESS[Kind(book.default_effect)]:
            raise NotNow("Loosening this takes two people here: publish a policy that allows what is meant.")
        before, book.default_effect = book.default_effect, kind
        book.save(update_fields=["default_effect"])
        live.renew([workspace.pk])
        _note(workspace, "rules.default", by, {"before": before, "after": kind})


def set_two_people(workspace: Workspace, wanted: bool, by: User) -> None:
    """Whether every publication needs a second admin."""
    with transaction.atomic():
        book = _locked(workspace)
        if book.two_people == wanted:
            return
        book.two_people = wanted
        book.save(update_fields=["two_people"])
        _note(workspace, "rules.two_people", by, {"after": wanted})


def describe(policy_id: UUID, by: User, *, name: str, purpose: str, sensitive: bool) -> Policy:
    """What people call a policy and what it is for; the address stays."""
    name = name.strip()[:120]
    if not name:
        raise NotNow("Give the policy a name.")
    with transaction.atomic():
        policy = Policy.objects.select_for_update().get(pk=policy_id)
        before = (policy.name, policy.purpose, policy.sensitive)
        policy.name, policy.purpose, policy.sensitive = name, purpose.strip()[:400], sensitive
        if before == (policy.name, policy.purpose, policy.sensitive):
            return policy
        policy.save(update_fields=["name", "purpose", "sensitive"])
        live.renew([policy.workspace_id])  # answers name it
        told = {"policy": policy.slug, "name": name, "sensitive": sensitive}
        _note(policy.workspace, "policy.described", by, told, ("policy", str(policy.pk)))
    return policy


def ask_of_shadows(policy_id: UUID, by: User, gate: Gate) -> Policy:
    """What a version in shadow has to have seen before it may go live."""
    wanted = gate.checked()
    with transaction.atomic():
        policy = Policy.objects.select_for_update().get(pk=policy_id)
        if Gate.of(policy) == wanted:
            return policy
        before = Gate.of(policy).told()
        policy.shadow_decisions, policy.shadow_days = wanted.decisions, wanted.days
        policy.shadow_agreement = wanted.agreement
        policy.save(update_fields=["shadow_decisions", "shadow_days", "shadow_agreement"])
        told = {"policy": policy.slug, "before": before, **wanted.told()}
        _note(policy.workspace, "policy.shadow_asked", by, told, ("policy", str(policy.pk)))
    return policy


def _locked(workspace: Workspace) -> Rulebook:
    Rulebook.objects.get_or_create(workspace=workspace)
    return Rulebook.objects.select_for_update().get(workspace=workspace)


def _note(
    workspace: Workspace, kind: str, by: User, told: Mapping[str, Any], subject: tuple[str, str] | None = None
) -> None:
    subject = subject or ("workspace", workspace.slug)
    entries.record(workspace.pk, kind, subject, f"person:{by.get_username()}", dict(told), timezone.now())
