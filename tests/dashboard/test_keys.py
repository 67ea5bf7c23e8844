"""Keys of machines: shown once, rotated with an overlap, revoked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.workspaces.keys import Limit, create_key, find, lend, plain_for, revoke
from orchestration.workspaces.models import ApiKey, KeyDay, User, Workspace


def test_a_key_is_shown_once_and_works(proven: Client, workspace: Workspace) -> None:
    form = proven.get("/settings/keys/").content.decode()
    once = re.findall(r'name="once" value="([^"]+)"', form)[0]

    answer = proven.post("/settings/keys/", {"name": "shop", "scopes": ["ingest"], "agents": "a, b", "once": once})
    plain = re.findall(r"<code>(bat_[^<]+)</code></pre>", answer.content.decode())[0]
    again = proven.get("/settings/keys/").content.decode()

    bearer = find(plain)
    assert bearer is not None
    assert (bearer.workspace, bearer.scopes, bearer.agents) == ("default", frozenset({"ingest"}), frozenset({"a", "b"}))
    assert plain not in again
    assert plain[:10] in again


def test_a_double_press_makes_one_key_and_still_shows_it(proven: Client, workspace: Workspace) -> None:
    form = {"name": "shop", "scopes": ["ingest"], "once": name_of_form(proven, "/settings/keys/")}

    plain = [shown(proven.post("/settings/keys/", form)) for _ in range(2)]

    assert plain[0] == plain[1] != ""
    assert ApiKey.objects.filter(workspace=workspace, name="shop").count() == 1


def test_a_form_sent_again_later_shows_nothing(proven: Client, workspace: Workspace) -> None:
    form = {"name": "shop", "scopes": ["ingest"], "once": name_of_form(proven, "/settings/keys/")}
    proven.post("/settings/keys/", form)
    ApiKey.objects.update(created_at=timezone.now() - timedelta(minutes=3))

    again = proven.post("/settings/keys/", form, follow=True)

    assert "its key was shown then" in again.content.decode()
    assert shown(again) == ""


def test_the_name_of_a_form_tells_nobody_else_its_key(proven: Client, workspace: Workspace, operator: User) -> None:
    once = name_of_form(proven, "/settings/keys/")
    plain = shown(proven.post("/settings/keys/", {"name": "shop", "scopes": ["ingest"], "once": once}))

    assert plain_for(once, operator) != plain
    assert once not in plain


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": "", "scopes": ["ingest"]}, "This field is required"),
        ({"name": "x", "scopes": ["root"]}, "valid choice"),
        ({"name": "x", "scopes": []}, "Choose at least one"),
        ({"name": "x" * 81, "scopes": ["ingest"]}, "at most 80"),
        ({"name": "a\0b", "scopes": ["ingest"]}, "Null characters"),
        ({"name": "x", "scopes": ["ingest"], "agents": "y" * 300}, "at most 256"),
    ],
)
def test_what_makes_no_key_is_said_beside_its_field(
    proven: Client, workspace: Workspace, form: dict[str, Any], said: str
) -> None:
    answer = proven.post("/settings/keys/", form)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not ApiKey.objects.filter(workspace=workspace).exists()


def test_a_revoked_key_is_recognised_no_more(proven: Client, workspace: Workspace) -> None:
    key, plain = create_key(workspace, "old", ["ingest"])

    answers = [proven.post(f"/settings/keys/{key.pk}/revoke/", follow=True).content.decode() for _ in range(2)]

    assert "Revoked old: it is refused within 5 seconds." in answers[0]
    assert "it was revoked before" in answers[1]
    assert find(plain) is None


def test_rotating_makes_a_second_key_and_ends_the_first_after_the_overlap(proven: Client, workspace: Workspace) -> None:
    key, plain = create_key(workspace, "shop", ["ingest", "read"], ["refund"])
    address = f"/settings/keys/{key.pk}/"
    form = {"overlap": "24", "once": name_of_form(proven, address)}

    new = [shown(proven.post(f"{address}rotate/", form)) for _ in range(2)]

    key.refresh_from_db()
    old_bearer, new_bearer = find(plain), find(new[0])
    assert new[0] == new[1]
    assert old_bearer
    assert new_bearer
    assert (new_bearer.scopes, new_bearer.agents) == (old_bearer.scopes, old_bearer.agents)
    assert key.ends_at is not None
    assert abs(key.ends_at - timezone.now() - timedelta(hours=24)) < timedelta(minutes=1)
    assert ApiKey.objects.filter(workspace=workspace).count() == 2


def test_a_key_past_its_overlap_is_recognised_no_more(workspace: Workspace) -> None:
    key, plain = create_key(workspace, "shop", ["ingest"])
    ApiKey.objects.filter(pk=key.pk).update(ends_at=timezone.now() - timedelta(seconds=1))

    assert find(plain) is None
    assert not ApiKey.objects.usable().exists()


@pytest.mark.parametrize("overlap", ["3", "-1", "x", "9" * 50])
def test_an_overlap_that_is_none_is_refused(proven: Client, workspace: Workspace, overlap: str) -> None:
    key, _ = create_key(workspace, "shop", ["ingest"])

    answer = proven.post(f"/settings/keys/{key.pk}/rotate/", {"overlap": overlap})

    assert answer.status_code == 422
    assert ApiKey.objects.count() == 1


def test_a_key_that_works_no_more_is_not_rotated(proven: Client, workspace: Workspace) -> None:
    key, _ = create_key(workspace, "shop", ["ingest"])
    revoke(key)

    answer = proven.post(f"/settings/keys/{key.pk}/rotate/", {"overlap": "1"}, follow=True)

    assert b"works no more" in answer.content
    assert ApiKey.objects.count() == 1


def test_a_key_says_what_it_may_and_what_it_has_sent(proven: Client, workspace: Workspace) -> None:
    key, _ = create_key(workspace, "shop", ["ingest"], ["refund"])
    KeyDay.objects.create(key=key, day=timezone.now().date(), items=1234, size=5_000_000)

    page = proven.get(f"/settings/keys/{key.pk}/").content.decode()

    assert "send telemetry and events" in page
    assert "1,234 items, 5.0 MB" in page
    assert "refund" in page


def test_a_key_lent_to_baton_itself_is_in_no_list(proven: Client, workspace: Workspace, admin: User) -> None:
    lend(workspace, "Test span", "ingest", admin)
    lent = ApiKey.objects.get(lent=True)

    assert b"Test span" not in proven.get("/settings/keys/").content
    assert proven.get(f"/settings/keys/{lent.pk}/").status_code == 404


@pytest.mark.parametrize("act", ["", "revoke/", "rotate/"])
def test_keys_of_other_workspaces_and_none_are_not_there(
    client: Client, workspace: Workspace, stranger: User, act: str
) -> None:
    key, plain = create_key(workspace, "ours", ["ingest"])
    client.post("/accounts/login/", {"login": "stranger", "password": "stranger-password-12"})

    for number in (key.pk, 999_999_999, 2**63):
        address = f"/settings/keys/{number}/{act}"
        status = client.post(address).status_code if act else client.get(address).status_code
        assert status == 404
    assert find(plain) is not None


def test_a_session_alone_makes_no_key(as_admin: Client, workspace: Workspace) -> None:
    """`as_admin` is logged in without ever having given a password."""
    answer = as_admin.post("/settings/keys/", {"name": "shop", "scopes": ["ingest"]})

    assert answer.status_code == 302
    assert "/accounts/again/" in answer["Location"]
    assert not ApiKey.objects.filter(workspace=workspace).exists()


def test_what_was_sent_is_done_once_the_password_is_given(as_admin: Client, workspace: Workspace) -> None:
    asked = as_admin.post("/settings/keys/", {"name": "shop", "scopes": ["ingest"]})["Location"]

    answer = as_admin.post(asked, {"password": "admin-password-12", "next": "/settings/keys/"})

    assert find(shown(answer)) is not None
    assert 'aria-current="page">Keys' in answer.content.decode()


def name_of_form(client: Client, address: str) -> str:
    """Which a form carries so that sending it twice is one act."""
    found: list[str] = re.findall(r'name="once" value="([^"]+)"', client.get(address).content.decode())
    return found[0]


def shown(answer: Any) -> str:
    found: list[str] = re.findall(r"<code>(bat_[^<]+)</code></pre>", answer.content.decode())
    return found[0] if found else ""


def test_an_admin_limits_what_a_key_and_all_keys_may_send(proven: Client, workspace: Workspace) -> None:
    key, plain = create_key(workspace, "shop", ["ingest"])

    proven.post(f"/settings/keys/{key.pk}/limit/", {"spans": "500", "megabytes": ""})
    said = proven.post("/settings/keys/limit/", {"spans": "", "megabytes": "20"}, follow=True).content.decode()

    bearer = find(plain)
    assert bearer is not None
    assert (bearer.limit, bearer.together) == (Limit(500, None), Limit(None, 20_000_000))
    assert "All keys together may send 20.0 MB a day" in said
    assert 'value="20"' in said


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "99999999"])
def test_a_limit_that_is_none_is_refused_at_its_field(proven: Client, workspace: Workspace, wrong: str) -> None:
    key, _ = create_key(workspace, "shop", ["ingest"])

    for address in (f"/settings/keys/{key.pk}/limit/", "/settings/keys/limit/"):
        answer = proven.post(address, {"spans": wrong, "megabytes": ""})
        assert answer.status_code == 422
        assert 'id="id_spans"' in answer.content.decode()
    assert ApiKey.objects.filter(spans_per_second__isnull=False).count() == 0


def test_operators_limit_nothing(client: Client, operator: User, workspace: Workspace) -> None:
    key, _ = create_key(workspace, "shop", ["ingest"])
    client.force_login(operator)

    answers = [client.post(f"/settings/keys/{place}limit/", {"spans": "1"}) for place in ("", f"{key.pk}/")]

    assert {answer.status_code for answer in answers} == {403}
