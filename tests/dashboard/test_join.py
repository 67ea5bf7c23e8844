"""Where an invitation leads: for somebody new, for somebody who has an account, and when it is used up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.workspaces.invitations import Offer, invite
from orchestration.workspaces.models import Invitation, Membership, User, Workspace

NEW = {"username": "rita", "password1": "correct horse battery", "password2": "correct horse battery"}


@pytest.fixture
def path(workspace: Workspace, admin: User) -> str:
    return f"/accounts/join/{invite(workspace, Offer('Rita', ['reviewer']), admin)[1]}/"


def test_looking_at_the_link_uses_nothing_up(client: Client, path: str) -> None:
    answers = [client.get(path) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert b"admin invites you as reviewer" in answers[0].content
    assert Invitation.objects.open().count() == 1


def test_the_address_is_kept_from_others(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer["Referrer-Policy"] == "strict-origin"
    assert "no-store" in answer["Cache-Control"]


def test_somebody_new_makes_an_account_and_is_in(client: Client, path: str) -> None:
    answer = client.post(path, NEW | {"roles": "admin", "is_superuser": "1"}, follow=True)

    user = User.objects.get(username="rita")
    membership = Membership.objects.get(user=user)
    assert b"Joined Default." in answer.content
    assert (membership.roles, membership.workspace.slug, user.is_superuser) == (["reviewer"], "default", False)
    assert client.get("/runs/").status_code == 200


def test_the_link_works_once(client: Client, path: str) -> None:
    Client().post(path, NEW)

    seen = client.get(path)
    tried = client.post(path, NEW | {"username": "eve"})

    assert (seen.status_code, tried.status_code) == (410, 410)
    assert b"This link has been used" in seen.content
    assert not User.objects.filter(username="eve").exists()


def test_a_double_press_of_the_one_who_joined_leads_inside(client: Client, path: str) -> None:
    client.post(path, NEW)

    answer = client.post(path, NEW)

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert User.objects.filter(username="rita").count() == 1


def test_somebody_with_an_account_joins_as_themselves(client: Client, path: str, stranger: User) -> None:
    client.force_login(stranger)

    offered = client.get(path)
    answer = client.post(path, follow=True)

    assert b"Join as stranger" in offered.content
    assert b"Joined Default." in answer.content
    assert {each.workspace.slug: each.roles for each in Membership.objects.filter(user=stranger)} == {
        "default": ["reviewer"],
        "elsewhere": ["admin"],
    }


def test_a_member_keeps_what_they_have_and_gains_the_rest(client: Client, path: str, operator: User) -> None:
    client.force_login(operator)

    client.post(path)

    assert Membership.objects.get(user=operator).roles == ["operator", "reviewer"]


def test_a_removed_member_comes_back_with_the_roles_of_the_link(client: Client, path: str, operator: User) -> None:
    Membership.objects.filter(user=operator).update(roles=[])
    client.force_login(operator)

    client.post(path)

    assert Membership.objects.get(user=operator).roles == ["reviewer"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password1": "short", "password2": "short"}, "at least 12"),
        ({"password2": "another horse battery"}, "match"),
        ({"username": ""}, "required"),
        ({"username": "a b"}, "valid username"),
        ({"username": "ADMIN"}, "has this name already"),
        ({"username": "x" * 200}, "at most 150"),
        ({"password1": "", "password2": ""}, "required"),
    ],
)
def test_an_account_that_cannot_be_is_refused_and_the_link_still_works(
    client: Client, path: str, change: dict[str, str], said: str
) -> None:
    answer = client.post(path, NEW | change)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Invitation.objects.open().count() == 1


def test_a_link_that_has_ended_or_is_none_says_so(client: Client, path: str) -> None:
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert b"This link has ended" in client.get(path).content
    assert client.post(path, NEW).status_code == 410
    assert client.get("/accounts/join/nonsense/").status_code == 404
    assert client.post("/accounts/join/%ED%A0%80/", NEW).status_code == 404
    assert not User.objects.filter(username="rita").exists()


def test_the_link_is_neither_put_nor_deleted(client: Client, path: str) -> None:
    assert (client.put(path).status_code, client.delete(path).status_code) == (405, 405)


def test_the_log_in_on_that_page_leads_back_to_it(client: Client, path: str, operator: User) -> None:
    page = client.get(path).content.decode()

    answer = client.post(f"/accounts/login/?next={path}", {"login": "operator", "password": "operator-password-12"})

    assert f"/accounts/login/?next={path}" in page
    assert answer["Location"] == path
