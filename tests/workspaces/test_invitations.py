"""One-time links: used once, by one, until they end."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from threading import Thread

import pytest
from django.db import connections
from django.utils import timezone

from orchestration.workspaces import invitations
from orchestration.workspaces.invitations import Offer, accept, find, invite, withdraw
from orchestration.workspaces.models import Invitation, Membership, User, Workspace


def test_only_a_digest_of_the_secret_is_kept(workspace: Workspace, admin: User) -> None:
    invitation, secret = invite(workspace, Offer("Rita", ["reviewer"]), admin)

    assert len(secret) >= 43  # 256 bits in base64
    assert bytes(invitation.digest) == hashlib.sha256(secret.encode()).digest()
    assert find(secret) == invitation
    assert find(secret + "x") is None
    assert find("\ud800") is None


def test_a_form_sent_twice_makes_one_link_and_another_one_another(workspace: Workspace, admin: User) -> None:
    secrets = [invite(workspace, Offer("Rita", ["reviewer"]), admin, once=once)[1] for once in ("a", "a", "b")]

    assert secrets[0] == secrets[1] != secrets[2]
    assert Invitation.objects.count() == 2


def test_roles_that_are_none_are_not_granted(workspace: Workspace, admin: User) -> None:
    assert invite(workspace, Offer("Rita", ["root", "reviewer"]), admin)[0].roles == ["reviewer"]


def test_it_is_accepted_once(workspace: Workspace, admin: User, stranger: User, operator: User) -> None:
    invitation, _ = invite(workspace, Offer("Rita", ["reviewer"]), admin)

    first, second = accept(invitation, stranger), accept(invitation, operator)

    assert first is not None
    assert second is None
    assert Membership.objects.get(user=operator).roles == ["operator"]


@pytest.mark.parametrize("how", ["ended", "withdrawn"])
def test_what_has_ended_grants_nothing(workspace: Workspace, admin: User, stranger: User, how: str) -> None:
    invitation, _ = invite(workspace, Offer("Rita", ["admin"], lasts=timedelta(seconds=1)), admin)
    if how == "ended":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        assert [withdraw(invitation, admin) for _ in range(2)] == [True, False]

    assert accept(invitation, stranger) is None
    assert not Membership.objects.filter(user=stranger, workspace=workspace).exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_who_accept_at_once_one_is_let_in(workspace: Workspace, admin: User) -> None:
    invitation, _ = invite(workspace, Offer("Rita", ["reviewer"]), admin)
    people = [User.objects.create_user(f"person{n}") for n in range(6)]

    def work(person: User) -> None:
        invitations.accept(invitation, person)
        connections.close_all()

    threads = [Thread(target=work, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert Membership.objects.filter(user__in=people).count() == 1
