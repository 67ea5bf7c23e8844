"""The clock of shadows: keeps their sums fresh and tells open pages when one has seen more."""

from __future__ import annotations

from uuid import UUID

from orchestration.lib.pulse import publish
from orchestration.policies import shadows
from orchestration.policies.models import Policy, Subject

_told: dict[UUID, int] = {}  # by policy: how many decisions its shadow had seen when pages were told


def sweep() -> int:
    """How many shadows have seen more since the last time."""
    fresh = 0
    for policy in Policy.objects.filter(subject=Subject.ASK, shadow__isnull=False, retired_at=None):
        asked = shadows.seen(policy).asked
        if _told.get(policy.pk) != asked:
            _told[policy.pk] = asked
            publish(policy.workspace_id, "policy", {"policy": policy.slug})
            fresh += 1
    return fresh


def forget() -> None:
    """Empty the memory, between tests."""
    _told.clear()
