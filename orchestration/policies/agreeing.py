"""A second admin's press: what was proposed is done, as it was asked and not otherwise."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from orchestration.policies import lifecycle, proposals, rates, rulebook
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import Act, Policy, Proposal, Rulebook
from orchestration.policies.rulebook import Gate
from orchestration.workspaces.models import User, Workspace


def agree(proposal_id: UUID, workspace: Workspace, by: User) -> Proposal:
    """Raises NotNow: it was settled before, it is one's own, or what it was about has changed since."""
    with transaction.atomic():
        found = proposals.open_of(workspace).filter(pk=proposal_id).first()
        if found is None:
            raise NotNow("This was settled meanwhile.")
        if found.asked_by_id == by.pk:
            raise NotNow("You asked for this yourself: another admin has to agree.")
        _lock(found)
        if not _ACTS[found.act](found, by):
            raise NotNow("Something has changed since this was asked. Turn it down, and ask anew.")
        Proposal.objects.filter(pk=found.pk).delete()  # where two people are no longer asked for, it still stands
    return found


def _lock(found: Proposal) -> None:
    """In the order in which the acts themselves lock."""
    if found.policy_id:
        Policy.objects.select_for_update().get(pk=found.policy_id)
    else:
        Rulebook.objects.select_for_update().get(workspace_id=found.workspace_id)


def _policy(found: Proposal) -> Policy:
    if found.policy is None:
        raise NotNow("There is no such policy any more.")
    return found.policy


def _revert(found: Proposal, by: User) -> bool:
    return lifecycle.revert(_policy(found).pk, found.told["version"], by, found.reason) is not None


def _retire(found: Proposal, by: User) -> bool:
    return lifecycle.retire(_policy(found).pk, by, found.reason)


def _gate(found: Proposal, by: User) -> bool:
    return rulebook.ask_of_shadows(_policy(found).pk, by, Gate.restored(found.told))


def _ease(found: Proposal, by: User) -> bool:
    policy = _policy(found)
    return not rulebook.describe(policy.pk, by, name=policy.name, purpose=policy.purpose, sensitive=False).sensitive


def _alone(found: Proposal, by: User) -> bool:
    return rulebook.set_two_people(found.workspace, False, by)


def _default(found: Proposal, by: User) -> bool:
    return rulebook.set_default(found.workspace, found.told["after"], by)


def _rates(found: Proposal, by: User) -> bool:
    return rates.put(found.workspace, {name: Decimal(rate) for name, rate in found.told["after"].items()}, by)


_ACTS: dict[str, Callable[[Proposal, User], bool]] = {
    Act.REVERT: _revert,
    Act.RETIRE: _retire,
    Act.GATE: _gate,
    Act.EASE: _ease,
    Act.ALONE: _alone,
    Act.DEFAULT: _default,
    Act.RATES: _rates,
}
