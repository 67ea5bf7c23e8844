"""Who belongs to a workspace: invited, given roles, removed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from orchestration.ledger.models import Entry
from orchestration.workspaces.models import Invitation, Membership, User, Workspace

INVITE = {"note": "Rita", "roles": ["reviewer"], "lasts": "7"}


def member(user: User) -> Membership:
    return Membership.objects.get(user=user)


def link(answer: Any) -> str:
    found = re.findall(r"<code>(http[^<]+/accounts/join/[^<]+)</code>", answer.content.decode())
    return found[0] if found else ""


def joining(client: Client) -> str:
    """The path of a fresh link."""
    return link(client.post("/settings/members/", INVITE)).removeprefix("http://testserver")


def test_the_page_names_everybody_with_their_roles(as_admin: Client, operator: User, stranger: User) -> None:
    page = as_admin.get("/settings/members/").content.decode()

    assert "2 people work in Default" in page
    assert "One of them is an admin" in page
    assert "operator" in page
    assert "stranger" not in page


def test_an_invitation_is_a_link_that_is_shown_once(proven: Client, workspace: Workspace) -> None:
    first = proven.post("/settings/members/", INVITE | {"once": "form-1"})
    second = proven.post("/settings/members/", INVITE | {"once": "form-1"})

    invitation = Invitation.objects.get()
    secret = link(first).rsplit("/", 2)[1]
    assert link(first) == link(second)
    assert secret not in proven.get("/settings/members/").content.decode()
    assert secret.encode() not in bytes(invitation.digest)
    assert (invitation.roles, invitation.note) == (["reviewer"], "Rita")
    assert abs(invitation.expires_at - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"note": ""}, "This field is required"),
        ({"roles": []}, "Choose at least one role"),
        ({"roles": ["owner"]}, "valid choice"),
        ({"lasts": "4000"}, "valid choice"),
        ({"note": "x" * 81}, "at most 80"),
    ],
)
def test_an_invitation_that_cannot_be_is_refused_beside_its_field(
    proven: Client, workspace: Workspace, change: dict[str, Any], said: str
) -> None:
    answer = proven.post("/settings/members/", INVITE | change)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Invitation.objects.exists()


def test_roles_are_set_as_ticked_and_nothing_else_is(proven: Client, operator: User) -> None:
    form = {"roles": ["reviewer", "operator"], "sees_content": "on", "user": "1", "workspace": "7", "is_staff": "1"}

    answer = proven.post(f"/settings/members/{member(operator).pk}/", form, follow=True)

    found = member(operator)
    assert b"Saved what operator may do." in answer.content
    assert (found.roles, found.sees_content, found.workspace.slug) == (["operator", "reviewer"], True, "default")
    assert not found.user.is_staff


@pytest.mark.parametrize("form", [{}, {"roles": ["owner"]}, {"roles": ["admin", "root"]}])
def test_a_member_has_at_least_one_role_that_there_is(proven: Client, operator: User, form: dict[str, Any]) -> None:
    answer = proven.post(f"/settings/members/{member(operator).pk}/", form)

    assert answer.status_code == 422
    assert member(operator).roles == ["operator"]


def test_the_last_admin_stays_one(proven: Client, admin: User) -> None:
    address = f"/settings/members/{member(admin).pk}/"

    demoted = proven.post(address, {"roles": ["operator"]})
    removed = proven.post(f"{address}remove/", follow=True)

    assert demoted.status_code == 422
    assert b"keeps at least one admin" in demoted.content
    assert b"admin was not removed" in removed.content
    assert b"The only admin" in removed.content
    assert member(admin).roles == ["admin"]


def test_a_removed_member_is_out_at_once_and_a_second_press_is_no_error(
    proven: Client, operator: User, workspace: Workspace
) -> None:
    theirs = Client()
    theirs.force_login(operator)
    before = theirs.get("/runs/").status_code
    address = f"/settings/members/{member(operator).pk}/remove/"

    said = [proven.post(address, follow=True).content.decode() for _ in range(2)]

    assert (before, theirs.get("/runs/").status_code, theirs.get("/live/").status_code) == (200, 403, 401)
    assert theirs.get("/api/v1/overview").status_code == 403
    assert all("Removed operator" in each for each in said)
    assert "operator" not in re.findall(r"<tbody>.*?</tbody>", said[1], re.S)[0]


def test_an_admin_who_leaves_is_led_out(proven: Client, admin: User, operator: User) -> None:
    Membership.objects.filter(user=operator).update(roles=["admin"])

    answer = proven.post(f"/settings/members/{member(admin).pk}/remove/", follow=True)

    assert answer.status_code == 403
    assert b"not a member of any workspace" in answer.content


def test_an_invitation_is_withdrawn(proven: Client, workspace: Workspace) -> None:
    path = joining(proven)

    answer = proven.post(f"/settings/invitations/{Invitation.objects.get().pk}/withdraw/", follow=True)

    assert b"Withdrew the invitation for Rita." in answer.content
    assert Client().get(path).status_code == 410


def test_members_and_invitations_of_other_workspaces_are_not_there(
    client: Client, operator: User, stranger: User, workspace: Workspace
) -> None:
    invitation = Invitation.objects.create(
        workspace=workspace, digest=b"1", note="x", roles=["admin"], expires_at=timezone.now() + timedelta(days=1)
    )
    client.post("/accounts/login/", {"login": "stranger", "password": "stranger-password-12"})
    theirs = member(operator).pk

    seen = client.get(f"/settings/members/{theirs}/")
    tried = [
        client.post(f"/settings/{address}", {"roles": ["admin"]}).status_code
        for address in (
            f"members/{theirs}/",
            f"members/{theirs}/remove/",
            "members/999999999/remove/",
            f"invitations/{invitation.pk}/withdraw/",
        )
    ]

    assert (seen.status_code, tried) == (404, [404] * 4)
    assert member(operator).roles == ["operator"]


def test_a_session_alone_changes_nobody(as_admin: Client, operator: User) -> None:
    address = f"/settings/members/{member(operator).pk}/"

    for path, form in (
        ("/settings/members/", INVITE),
        (address, {"roles": ["admin"]}),
        (f"{address}remove/", {}),
    ):
        assert "/accounts/again/" in as_admin.post(path, form)["Location"]

    assert member(operator).roles == ["operator"]
    assert not Invitation.objects.exists()


@pytest.fixture
def guarded(operator: User) -> User:
    """An operator who logs in with a second step, and has."""
    Authenticator.objects.create(user=operator, type=Authenticator.Type.TOTP, data={"secret": "x"})
    Authenticator.objects.create(user=operator, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "x"})
    return operator


def test_a_lost_second_step_is_taken_away_by_an_admin_and_logs_out(proven: Client, guarded: User) -> None:
    theirs, path = Client(), f"/settings/members/{member(guarded).pk}/"
    theirs.force_login(guarded)
    page = proven.get(path).content.decode()

    proven.post(f"{path}second-step/")
    again = proven.post(f"{path}second-step/", follow=True).content.decode()

    assert "Make sure that it is really they who ask" in page
    assert not Authenticator.objects.filter(user=guarded).exists()
    assert theirs.get("/").status_code == 302
    assert proven.get("/").status_code == 200
    assert "operator has no second step" in again
    assert list(Entry.objects.filter(kind="person.second_step_removed").values_list("actor")) == [("person:admin",)]


def test_an_admin_takes_no_second_step_that_guards_another_workspace(
    proven: Client, guarded: User, stranger: User
) -> None:
    here, elsewhere = member(guarded), member(stranger).workspace
    Membership.objects.create(user=guarded, workspace=elsewhere, roles=["reviewer"])

    answer = proven.post(f"/settings/members/{here.pk}/second-step/", follow=True)

    assert "They also work where you are no admin" in answer.content.decode()
    assert Authenticator.objects.filter(user=guarded).count() == 2
