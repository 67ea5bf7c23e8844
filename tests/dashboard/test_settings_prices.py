"""The price table: rows changed, added, retired and brought back; the starting table; the currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.registry import prices
from orchestration.registry.models import Price
from orchestration.workspaces.models import User, Workspace
from tests import make


def sent(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The price form as a browser sends it."""
    data: dict[str, Any] = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": initial}
    for place, row in enumerate(rows):
        data |= {f"form-{place}-{name}": value for name, value in row.items()}
    return data


def test_an_admin_adds_changes_and_retires_prices(as_admin: Client, workspace: Workspace) -> None:
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

    rows = Price.objects.current().order_by("model").values_list("model", "input", "cached")
    gone.refresh_from_db()
    assert answer.status_code == 302
    assert list(rows) == [("a", Decimal("1.5"), None), ("new-model", Decimal("0.1"), Decimal("0.05"))]
    assert gone.retired_at is not None


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


def test_a_retired_row_prices_nothing_until_it_is_brought_back(as_admin: Client, workspace: Workspace) -> None:
    price = Price.objects.create(workspace=workspace, model="old", input=1, output=2, retired_at=timezone.now())
    before = prices.table(workspace.pk).cost("old", 10, 0)
    page = as_admin.get("/settings/prices/").content.decode()

    answer = as_admin.post(f"/settings/prices/{price.pk}/restore/", follow=True)

    prices.forget()
    assert before is None
    assert "1 retired row" in page
    assert b"Brought back old." in answer.content
    assert prices.table(workspace.pk).cost("old", 10, 0) == 10_000


def test_a_new_row_of_a_retired_model_takes_its_place(as_admin: Client, workspace: Workspace) -> None:
    Price.objects.create(workspace=workspace, model="old", input=1, output=2, retired_at=timezone.now())

    answer = as_admin.post("/settings/prices/", sent({"model": "old", "input": "3", "output": "4"}))

    price = Price.objects.get(model="old")
    assert answer.status_code == 302
    assert (price.input, price.retired_at) == (Decimal(3), None)


def test_a_double_press_adds_one_row(as_admin: Client, workspace: Workspace) -> None:
    form = sent({"model": "new", "input": "3", "output": "4"})

    answers = [as_admin.post("/settings/prices/", form).status_code for _ in range(2)]

    assert answers == [302, 302]
    assert Price.objects.filter(model="new").count() == 1


def test_another_price_of_the_same_model_is_not_taken_for_a_second_press(
    as_admin: Client, workspace: Workspace
) -> None:
    as_admin.post("/settings/prices/", sent({"model": "new", "input": "3", "output": "4"}))

    answer = as_admin.post("/settings/prices/", sent({"model": "new", "input": "9", "output": "4"}))

    assert b"Somebody else has added the same model" in answer.content
    assert Price.objects.get(model="new").input == Decimal(3)


def test_the_starting_table_leaves_alone_what_is_there(as_admin: Client, workspace: Workspace) -> None:
    Price.objects.all().delete()
    Price.objects.create(workspace=workspace, model="gpt-4.1", input=7, output=7)

    said = [as_admin.post("/settings/prices/start/", follow=True).content.decode() for _ in range(2)]

    assert f"Added {len(prices.STARTERS) - 1} prices" in said[0]
    assert "has a row already" in said[1]
    assert Price.objects.get(model="gpt-4.1").input == 7


def test_the_starting_table_is_in_dollars_and_offered_to_nobody_else(as_admin: Client, workspace: Workspace) -> None:
    as_admin.post("/settings/prices/currency/", {"currency": "EUR"})
    Price.objects.all().delete()

    as_admin.post("/settings/prices/start/")

    assert not Price.objects.exists()
    assert b"this workspace counts in EUR" in as_admin.get("/settings/prices/").content


def test_the_currency_stays_once_a_cost_was_counted(as_admin: Client, workspace: Workspace) -> None:
    first = as_admin.post("/settings/prices/currency/", {"currency": "EUR"}, follow=True)
    make.calls(workspace, make.agent(workspace), cost=5)

    second = as_admin.post("/settings/prices/currency/", {"currency": "CHF"}, follow=True)

    workspace.refresh_from_db()
    assert b"Prices are in EUR now." in first.content
    assert b"costs have been counted already" in second.content
    assert workspace.currency == "EUR"


@pytest.mark.parametrize("currency", ["XXX", "", "eur", "EURO"])
def test_a_currency_that_is_none_is_refused(as_admin: Client, workspace: Workspace, currency: str) -> None:
    answer = as_admin.post("/settings/prices/currency/", {"currency": currency}, follow=True)

    workspace.refresh_from_db()
    assert b"no currency of the list" in answer.content
    assert workspace.currency == "USD"


def test_prices_of_another_workspace_are_not_brought_back(as_admin: Client, stranger: User) -> None:
    there = Workspace.objects.get(slug="elsewhere")
    other = Price.objects.create(workspace=there, model="theirs", input=1, output=1, retired_at=timezone.now())

    statuses = [as_admin.post(f"/settings/prices/{number}/restore/").status_code for number in (other.pk, 10**9)]

    other.refresh_from_db()
    assert statuses == [404, 404]
    assert other.retired_at is not None
