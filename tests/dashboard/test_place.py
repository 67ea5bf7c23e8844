"""Switching workspace and theme."""

from __future__ import annotations

import pytest
from django.test import Client

from orchestration.workspaces.models import Membership, User, Workspace
from tests.dashboard.conftest import Scene


def test_the_switch_stays_for_the_session(client: Client, scene: Scene, stranger: User) -> None:
    Membership.objects.create(user=stranger, workspace=scene.workspace, roles=["operator"])
    client.force_login(stranger)

    here = [
        b"billing" in client.post("/workspace/", {"workspace": slug}, follow=True).content
        for slug in ("default", "elsewhere", "default")
    ]

    assert here == [True, False, True]


@pytest.mark.parametrize("slug", ["elsewhere", "nonsense", ""])
def test_a_workspace_that_is_not_mine_is_not_there(as_operator: Client, stranger: User, slug: str) -> None:
    assert as_operator.post("/workspace/", {"workspace": slug}).status_code == 404


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_the_switch_leads_to_no_other_host(as_operator: Client, place: str) -> None:
    answer = as_operator.post("/workspace/", {"workspace": "default", "next": place})

    assert answer["Location"] == "/"


def test_the_theme_turns_and_turns_back(as_operator: Client) -> None:
    seen = []
    for _ in range(2):
        as_operator.post("/settings/theme/")
        seen.append(as_operator.get("/").content.decode().split("<html")[1].split(">")[0])

    assert seen == [' lang="en" data-theme="dark"', ' lang="en" data-theme="light"']


def test_rows_are_tight_and_comfortable_again(as_operator: Client) -> None:
    seen = []
    for _ in range(2):
        answer = as_operator.post("/settings/density/", headers={"Referer": "http://testserver/runs/"})
        seen.append('data-density="tight"' in as_operator.get(answer["Location"]).content.decode())

    assert seen == [True, False]


def test_a_mangled_theme_is_no_theme(as_operator: Client) -> None:
    as_operator.cookies["theme"] = '"><script>'

    assert b'<html lang="en">' in as_operator.get("/").content


def test_a_person_taken_out_of_a_workspace_is_out_at_once(client: Client, operator: User, workspace: Workspace) -> None:
    client.force_login(operator)
    before = client.get("/").status_code

    Membership.objects.filter(user=operator).delete()

    assert (before, client.get("/").status_code) == (200, 403)
