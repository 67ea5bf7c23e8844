"""Who belongs to a workspace, and as what: changed and ended here, and nowhere else.

A workspace always keeps an admin who can log in: of two admins who take the role from each other at once, one is
refused. What changes counts from the next request of that person on, since every request reads the membership anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from orchestration.workspaces.models import ROLES, Invitation, Membership, User, Workspace


class LastAdmin(ValueError):
    """Nobody would be left who can grant roles."""


def members(workspace: Workspace) -> list[Membership]:
    """All who belong there now, by name."""
    found = Membership.objects.filter(workspace=workspace, roles__len__gt=0).select_related("user")
    return list(found.order_by("user__username"))


@transaction.atomic
def change(membership: Membership, roles: Iterable[str], sees_content: bool, by: User | None) -> Membership:
    """Give a member these roles and no others. Raises LastAdmin."""
    wanted = [role for role in ROLES if role in set(roles)]
    if not wanted:
        raise ValueError("a member has at least one role")
    if "admin" not in wanted:
        _keep_an_admin(membership)
    return _write(membership, wanted, sees_content)


@transaction.atomic
def remove(membership: Membership, by: User | None) -> bool:
    """End a membership. False when it had ended already. Raises LastAdmin."""
    _keep_an_admin(membership)
    if not Membership.objects.filter(pk=membership.pk, roles__len__gt=0).exists():
        return False
    _write(membership, [], sees_content=False)
    return True


def admit(user: User, workspace: Workspace, roles: Iterable[str], sees_content: bool, by: User | None) -> Membership:
    """Make somebody a member; who is one already keeps what they have and gains the rest. Call inside a transaction."""
    membership, _ = Membership.objects.select_for_update().get_or_create(user=user, workspace=workspace)
    held = {*membership.roles, *roles}
    return _write(membership, [role for role in ROLES if role in held], sees_content or membership.sees_content)


def _write(membership: Membership, roles: list[str], sees_content: bool) -> Membership:
    """Invitations by somebody who may grant nothing any more are of no use from then on."""
    membership.roles, membership.sees_content = roles, sees_content
    membership.save(update_fields=["roles", "sees_content"])
    if "admin" not in roles:
        made = Invitation.objects.open().filter(workspace_id=membership.workspace_id, created_by_id=membership.user_id)
        made.update(withdrawn_at=timezone.now())
    return membership


def is_last_admin(membership: Membership) -> bool:
    """Whether nobody else there could grant roles."""
    admins = Membership.objects.filter(
        workspace_id=membership.workspace_id, roles__contains=["admin"], user__is_active=True
    )
    return set(admins.values_list("pk", flat=True)) == {membership.pk}


def _keep_an_admin(leaving: Membership) -> None:
    """Waits for whoever changes the members of this workspace at the moment."""
    Workspace.objects.select_for_update().get(pk=leaving.workspace_id)
    if is_last_admin(leaving):
        raise LastAdmin("A workspace keeps at least one admin: make somebody else one first.")
