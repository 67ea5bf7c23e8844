"""Which fields become columns, what is said once, and how one case compares."""

from __future__ import annotations

from typing import Any

import pytest

from escalations.columns import columns, compare, same
from escalations.words import label, shown

ODD: dict[str, Any] = {"context.back": False, "context.n": 3.0}


def cases(n: int = 10, **odd: Any) -> list[dict[str, Any]]:
    plain = [
        {"amount": 500.0 + i, "arguments.item": f"Thing {i}", "context.back": True, "context.n": 0.0} for i in range(n)
    ]
    return [{**plain[0], **odd}, *plain[1:]]


def test_what_is_the_same_in_all_is_no_column_and_said_once() -> None:
    told = [{**case, "context.region": "EU"} for case in cases()]

    assert [each.name for each in columns(told, [])] == ["arguments.item"]
    assert same(told) == ["EU", "Back", "N: 0"]


def test_what_marks_a_case_comes_before_what_merely_varies() -> None:
    told = cases(**ODD)
    told = [{**case, "z1": float(i), "z2": f"{i}", "z3": f"w{i}"} for i, case in enumerate(told)]

    found = columns(told, ["context.back", "context.n"])

    assert {"context.back", "context.n"} <= {each.name for each in found}
    assert len(found) == 4
    assert {each.name for each in found if not each.wide_only} == {"context.back", "context.n"}


def test_words_stand_before_yes_and_no_and_those_before_figures() -> None:
    told = cases(**ODD)

    assert [each.name for each in columns(told, [])] == ["arguments.item", "context.back", "context.n"]


def test_a_single_case_shows_what_it_is_about() -> None:
    assert [each.name for each in columns(cases(1), [])] == ["arguments.item", "context.back", "context.n"]
    assert same(cases(1)) == []


def test_a_case_is_compared_with_what_differs_first() -> None:
    odd: dict[str, Any] = {"context.back": False, "amount": 940.0}
    mine, *others = cases(**odd)

    found = compare(mine, others, ["context.back"])

    assert [(each.label, each.mine, each.others, each.differs) for each in found[:2]] == [
        ("Back", "No", "All yes", True),
        ("Amount", "940.00", "501.00 to 509.00", False),
    ]
    assert found[-1].others == "9 different"


def test_an_argument_that_is_the_amount_again_is_no_second_line() -> None:
    mine, others = {"amount": 38.4, "arguments.amount": 38.4}, [{"amount": 51.8, "arguments.amount": 51.8}]
    assert [line.label for line in compare(mine, others, [])] == ["Amount"]

    others[0]["arguments.amount"] = 40.0
    assert [line.label for line in compare(mine, others, [])] == ["Amount", "Amount"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("context.refunds_1y", "Refunds, 1 y"),
        ("arguments.paid_by", "Paid by"),
        ("context.customer.years", "Customer years"),
        ("past.count_account_24h", "Earlier asks, same account, 24 h"),
        ("past.amount_agent_1h", "Sum asked before, same agent, 1 h"),
        ("confidence", "Agent sure"),
        ("evidence.invoice.total", "Invoice total"),
    ],
)
def test_a_field_is_called_as_people_would(name: str, words: str) -> None:
    assert label(name) == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("amount", 1234.5, "1,234.50"),
        ("n", 3.0, "3"),
        ("n", 0.125, "0.125"),
        ("n", 13257.61, "13,258"),
        ("n", 1234567.8, "1,234,568"),
        ("confidence", 0.71, "71%"),
        ("b", True, "Yes"),
        ("t", "not_yet", "Not yet"),
        ("t", "EU-1/2", "EU-1/2"),
        ("l", ["photo", "scan"], "photo, scan"),
        ("l", [], "None"),
        ("x", None, "Not known"),
    ],
)
def test_a_value_is_as_short_as_it_can_be(name: str, value: Any, words: str) -> None:
    assert shown(name, value) == words
