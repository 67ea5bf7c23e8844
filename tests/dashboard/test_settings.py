"""One's profile, the price table, the keys of machines."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from orchestration.registry.models import Price
from orchestration.workspaces.keys import create_key, find
from orchestration.workspaces.models import ApiKey, User, Workspace


@pytest.fixture
def proven(client: Client, admin: User) -> Client:
    """An admin who has just given the password."""
    client.post("/accounts/login/", {"login": "admin", "password": "admin-password-12"})
    return client


def sent(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The price form as a browser sends it."""
    data: dict[str, Any] = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": initial}
    for place, row in enumerate(rows):
        data |= {f"form-{place}-{name}": value for name, value in row.items()}
    return data


def test_everyone_lands_on_settings_they_may_see(as_reviewer: Client) -> None:
    assert as_reviewer.get("/settings/")["Location"] == "/settings/profile/"


def test_times_are_shown_in_the_zone_a_person_chose(as_operator: Client, operator: User) -> None:
    answer = as_operator.post("/settings/profile/", {"zone": "Asia/Tokyo", "username": "root", "is_staff": "1"})

    operator.refresh_from_db()
    assert answer.status_code == 302
    assert (operator.zone, operator.username, operator.is_staff) == ("Asia/Tokyo", "operator", False)


def test_a_zone_that_is_none_is_refused_beside_its_field(as_operator: Client, operator: User) -> None:
    answer = as_operator.post("/settings/profile/", {"zone": "Mars/Olympus"})

    assert answer.status_code == 422
    assert b"valid choice" in answer.content


def test_an_admin_adds_changes_and_removes_prices(as_admin: Client, workspace: Workspace) -> None:
    Price.objects.filter(workspace=workspace).delete()
    kept = Price.objects.create(workspace=workspace, model="a", input=1, output=2)
    gone = Price.objects.create(workspace=workspace, model="b", input=1, output=2)

    answer = as_admin.post(
        "/settings/prices/",
        sent(
            {"id": kept.pk, "model": "a", "input": "1.5", "output": "2", "cached": ""},
            {"id": gone.pk, "model": "b", "input": "1", "output": "2", "DELETE": "on"},
            {"model": " New-Model ", "input": "0.1", "output": "0.4", "cached": "0.05"},
            initial=2,
        ),
    )

    rows = Price.objects.filter(workspace=workspace).order_by("model").values_list("model", "input", "cached")
    assert answer.status_code == 302
    assert list(rows) == [("a", Decimal("1.5"), None), ("new-model", Decimal("0.1"), Decimal("0.05"))]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"model": "x", "input": "-1", "output": "1"}, "not below zero"),
        ({"model": "x", "input": "NaN", "output": "1"}, "Enter a number"),
        ({"model": "x", "input": "1e30", "output": "1"}, "digits"),
        ({"model": "", "input": "1", "output": "1"}, "required"),
        ({"model": "x" * 121, "input": "1", "output": "1"}, "at most 120"),
        ({"model": "a\0b", "input": "1", "output": "1"}, "Null characters"),
    ],
)
def test_a_price_that_is_none_is_refused_beside_its_field(
    as_admin: Client, workspace: Workspace, row: dict[str, str], said: str
) -> None:
    before = Price.objects.count()

    answer = as_admin.post("/settings/prices/", sent(row))

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Price.objects.count() == before


def test_two_rows_of_one_model_are_refused(as_admin: Client, workspace: Workspace) -> None:
    row = {"model": "twin", "input": "1", "output": "1"}

    answer = as_admin.post("/settings/prices/", sent(row, row | {"model": "TWIN"}))

    assert answer.status_code == 422
    assert b"twin has two rows" in answer.content


def test_prices_of_another_workspace_cannot_be_named(as_admin: Client, stranger: User) -> None:
    other = Price.objects.create(workspace=Workspace.objects.get(slug="elsewhere"), model="theirs", input=1, output=1)

    answer = as_admin.post(
        "/settings/prices/", sent({"id": other.pk, "model": "mine", "input": "9", "output": "9"}, initial=1)
    )

    other.refresh_from_db()
    assert answer.status_code in (302, 422)
    assert (other.model, other.input) == ("theirs", Decimal(1))


@pytest.mark.parametrize("data", [{}, {"form-TOTAL_FORMS": "x"}, sent(*[{}] * 3) | {"form-TOTAL_FORMS": "999999"}])
def test_a_mangled_form_is_no_fault_of_ours(as_admin: Client, data: dict[str, Any]) -> None:
    assert as_admin.post("/settings/prices/", data).status_code in (302, 422)


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


def test_a_double_press_makes_one_key(proven: Client, workspace: Workspace) -> None:
    once = re.findall(r'name="once" value="([^"]+)"', proven.get("/settings/keys/").content.decode())[0]
    form = {"name": "shop", "scopes": ["ingest"], "once": once}

    proven.post("/settings/keys/", form)
    proven.post("/settings/keys/", form)

    assert ApiKey.objects.filter(workspace=workspace, name="shop").count() == 1


def test_a_key_needs_a_name_and_known_scopes(proven: Client, workspace: Workspace) -> None:
    answer = proven.post("/settings/keys/", {"name": "", "scopes": ["root"]})

    assert answer.status_code == 422
    assert not ApiKey.objects.filter(workspace=workspace).exists()


def test_a_revoked_key_is_recognised_no_more(proven: Client, workspace: Workspace) -> None:
    key, plain = create_key(workspace, "old", ["ingest"])

    answer = proven.post(f"/settings/keys/{key.pk}/revoke/", follow=True)

    assert b"Revoked old" in answer.content
    assert find(plain) is None


def test_a_session_alone_makes_no_key(as_admin: Client, workspace: Workspace) -> None:
    """`as_admin` is logged in without ever having given a password."""
    answer = as_admin.post("/settings/keys/", {"name": "shop", "scopes": ["ingest"]})

    assert answer.status_code == 302
    assert "/accounts/again/" in answer["Location"]
    assert not ApiKey.objects.filter(workspace=workspace).exists()
