"""What holds for a workspace's policies as a whole, and what a policy is beside its versions: each change is one
transaction with its ledger entry."""

from __future__ import annotations

from collections.abc import Mapping
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


def ask_of_shadows(policy_id: UUID, by: User, *, decisions: int, days: int) -> Policy:
    """What a version in shadow has to have seen before it may go live."""
    if not (0 <= decisions <= MOST_DECISIONS and 0 <= days <= MOST_DAYS):
        raise NotNow(f"A shadow is asked for at most {MOST_DECISIONS:,} decisions and {MOST_DAYS} days.")
    with transaction.atomic():
        policy = Policy.objects.select_for_update().get(pk=policy_id)
        if (policy.shadow_decisions, policy.shadow_days) == (decisions, days):
            return policy
        policy.shadow_decisions, policy.shadow_days = decisions, days
        policy.save(update_fields=["shadow_decisions", "shadow_days"])
        told = {"policy": policy.slug, "decisions": decisions, "days": days}
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
