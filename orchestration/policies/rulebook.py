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
from orchestration.policies import live, proposals
from orchestration.policies.effects import STRICTNESS, Kind
from orchestration.policies.lifecycle import NotNow, needs_second
from orchestration.policies.models import Act, Policy, Rulebook
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

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> Gate:
        """Out of what `told` has made."""
        return cls(int(told["decisions"]), int(told["days"]), float(told["agreement"].rstrip("%")) / 100)

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


def set_default(workspace: Workspace, kind: str, by: User) -> bool:
    """What is answered when no policy speaks. Where two people are asked for, one alone does not loosen it. False: it
    waits for a second person."""
    if kind not in DEFAULTS:
        raise NotNow("When no policy speaks an agent acts alone, a person is asked, or it is refused.")
    with transaction.atomic():
        book = locked(workspace)
        told = {"before": str(book.default_effect), "after": str(kind)}
        if book.default_effect == kind:
            return True
        looser = STRICTNESS[Kind(kind)] < STRICTNESS[Kind(book.default_effect)]
        if book.two_people and looser and not proposals.agreed(workspace, None, Act.DEFAULT, told, by):
            return False
        book.default_effect = kind
        book.save(update_fields=["default_effect"])
        live.renew([workspace.pk])
        note(workspace, "rules.default", by, told)
    return True


def set_two_people(workspace: Workspace, wanted: bool, by: User) -> bool:
    """Whether every publication needs a second admin. One alone may only ask for it. False: it waits for a second
    person."""
    with transaction.atomic():
        book = locked(workspace)
        if book.two_people == wanted:
            return True
        if not wanted and not proposals.agreed(workspace, None, Act.ALONE, {"after": False}, by):
            return False
        book.two_people = wanted
        book.save(update_fields=["two_people"])
        note(workspace, "rules.two_people", by, {"after": wanted})
    return True


def describe(policy_id: UUID, by: User, *, name: str, purpose: str, sensitive: bool) -> Policy:
    """What people call a policy and what it is for; the address stays. That it is no longer sensitive takes a second
    person: until then the policy that is returned still is."""
    name = name.strip()[:120]
    if not name:
        raise NotNow("Give the policy a name.")
    with transaction.atomic():
        policy = Policy.objects.select_for_update().get(pk=policy_id)
        before = (policy.name, policy.purpose, policy.sensitive)
        policy.name, policy.purpose = name, purpose.strip()[:400]
        eased = policy.sensitive and not sensitive
        policy.sensitive = sensitive or (eased and not _agreed(policy, Act.EASE, {"sensitive": False}, by))
        if before == (policy.name, policy.purpose, policy.sensitive):
            return policy
        policy.save(update_fields=["name", "purpose", "sensitive"])
        live.renew([policy.workspace_id])  # answers name it
        told = {"policy": policy.slug, "name": name, "sensitive": policy.sensitive}
        note(policy.workspace, "policy.described", by, told, ("policy", str(policy.pk)))
    return policy


def ask_of_shadows(policy_id: UUID, by: User, gate: Gate) -> bool:
    """What a version in shadow has to have seen before it may go live. False: it waits for a second person."""
    wanted = gate.checked()
    with transaction.atomic():
        policy = Policy.objects.select_for_update().get(pk=policy_id)
        if Gate.of(policy) == wanted:
            return True
        told = {"before": Gate.of(policy).told(), **wanted.told()}
        if needs_second(policy) and not _agreed(policy, Act.GATE, told, by):
            return False
        policy.shadow_decisions, policy.shadow_days = wanted.decisions, wanted.days
        policy.shadow_agreement = wanted.agreement
        policy.save(update_fields=["shadow_decisions", "shadow_days", "shadow_agreement"])
        note(policy.workspace, "policy.shadow_asked", by, {"policy": policy.slug, **told}, ("policy", str(policy.pk)))
    return True


def _agreed(policy: Policy, act: Act, told: Mapping[str, Any], by: User) -> bool:
    return proposals.agreed(policy.workspace, policy, act, told, by) is not None


def locked(workspace: Workspace) -> Rulebook:
    Rulebook.objects.get_or_create(workspace=workspace)
    return Rulebook.objects.select_for_update().get(workspace=workspace)


def note(
    workspace: Workspace, kind: str, by: User, told: Mapping[str, Any], subject: tuple[str, str] | None = None
) -> None:
    subject = subject or ("workspace", workspace.slug)
    entries.record(workspace.pk, kind, subject, f"person:{by.get_username()}", dict(told), timezone.now())
