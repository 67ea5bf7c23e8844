"""Who belongs to a workspace: it always keeps an admin, also when two leave at once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

import pytest
from django.db import connections

from orchestration.workspaces import members
from orchestration.workspaces.invitations import Offer, invite
from orchestration.workspaces.members import LastAdmin
from orchestration.workspaces.models import Invitation, Membership, User, Workspace


def joined(user: User) -> Membership:
    return Membership.objects.get(user=user)


def test_roles_keep_their_order_and_are_told_once(workspace: Workspace, operator: User, admin: User) -> None:
    members.change(joined(operator), ["admin", "operator", "admin", "root"], True, admin)

    assert joined(operator).roles == ["operator", "admin"]


def test_the_last_admin_is_neither_demoted_nor_removed(workspace: Workspace, admin: User, operator: User) -> None:
    with pytest.raises(LastAdmin):
        members.change(joined(admin), ["operator"], False, admin)
    with pytest.raises(LastAdmin):
        members.remove(joined(admin), admin)

    members.change(joined(operator), ["admin"], False, admin)
    assert members.remove(joined(admin), operator)
    assert joined(admin).roles == []


def test_an_admin_who_cannot_log_in_counts_for_nothing(workspace: Workspace, admin: User, operator: User) -> None:
    members.change(joined(operator), ["admin"], False, admin)
    User.objects.filter(pk=operator.pk).update(is_active=False)

    with pytest.raises(LastAdmin):
        members.remove(joined(admin), admin)


def test_an_admin_elsewhere_counts_for_nothing_here(workspace: Workspace, admin: User, stranger: User) -> None:
    assert members.is_last_admin(joined(admin))


def test_a_membership_ends_once(workspace: Workspace, admin: User, operator: User) -> None:
    membership = joined(operator)

    assert [members.remove(membership, admin) for _ in range(2)] == [True, False]
    assert [each.user for each in members.members(workspace)] == [admin]


def test_who_may_grant_nothing_any_more_invites_nobody(workspace: Workspace, admin: User, operator: User) -> None:
    members.change(joined(operator), ["admin"], False, admin)
    invite(workspace, Offer("theirs", ["admin"]), operator)
    invite(workspace, Offer("mine", ["admin"]), admin)

    members.change(joined(operator), ["operator"], False, admin)

    assert [each.note for each in Invitation.objects.open()] == ["mine"]


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_who_leave_at_once_one_stays(workspace: Workspace, admin: User, operator: User) -> None:
    Membership.objects.filter(user=operator).update(roles=["admin"])
    refused: list[LastAdmin] = []

    def leave(user: User) -> Callable[[], None]:
        membership = joined(user)

        def work() -> None:
            try:
                members.remove(membership, user)
            except LastAdmin as error:
                refused.append(error)
            finally:
                connections.close_all()

        return work

    threads = [Thread(target=leave(user)) for user in (admin, operator)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(refused) == 1
    assert Membership.objects.filter(roles__contains=["admin"]).count() == 1
