"""What other currencies are worth: read line by line, in force at once, changed by two where two are asked for."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import orjson
import pytest

from orchestration.ledger.models import Entry
from orchestration.policies import agreeing, asks, live, rates, rulebook
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import Proposal
from orchestration.workspaces.models import User, Workspace

EURO = {"EUR": Decimal("1.08")}


@pytest.fixture
def second(db: None) -> User:
    return User.objects.create_user(username=f"second-{secrets.token_hex(3)}")


def facts(amount: object, currency: str | None) -> dict[str, object]:
    ask = asks.read({"agent": "a", "action": {"type": "refund", "amount": amount, "currency": currency}})
    return asks.facts_of(ask, datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("UTC"), "USD", EURO)


def test_rates_are_read_a_line_each() -> None:
    found = rates.read("eur 1.0800\n\n GBP: 1.27 \r\nJPY=0.0067", "USD")

    assert found == {"EUR": Decimal("1.08"), "GBP": Decimal("1.27"), "JPY": Decimal("0.0067")}
    assert rates.read(rates.text(rates.told(found)), "USD") == found


@pytest.mark.parametrize(
    "line",
    ["EUR", "EURO 1.08", "EUR 0", "EUR -1", "EUR NaN", "EUR 1e99", "EUR 1,08", "EUR 0.00000000001", "USD 1", "GBP 2"],
)
def test_a_line_that_is_no_rate_is_named(line: str) -> None:
    with pytest.raises(NotNow, match="Line 2 of the exchange rates"):
        rates.read(f"GBP 1.27\n{line}", "USD")


def test_an_amount_is_compared_by_its_rate_and_both_are_kept() -> None:
    told = facts(100, "EUR")

    assert (told["action.amount"], told["action.stated"], told["action.rate"]) == (108.0, 100.0, 1.08)
    assert told["action.currency"] == "EUR"


def test_without_a_rate_there_is_no_amount_and_the_own_currency_needs_none() -> None:
    assert not {"action.amount", "action.rate"} & facts(100, "JPY").keys()
    assert "action.rate" not in facts(100, "USD")
    assert facts(100, "USD")["action.amount"] == facts(100, None)["action.amount"] == 100.0


def test_a_change_is_in_force_at_once_and_noted(workspace: Workspace, admin: User) -> None:
    before = live.book(workspace.pk)

    assert rates.put(workspace, EURO, admin)
    after = live.book(workspace.pk)

    assert (before.rates, after.rates) == ({}, EURO)
    assert after.generation > before.generation
    entry = Entry.objects.get(workspace=workspace.pk, kind="rules.rates")
    assert orjson.loads(entry.body)["told"] == {"before": {}, "after": {"EUR": "1.08"}}
    assert rates.of(workspace.pk) == ("USD", EURO)


def test_the_same_again_changes_nothing(workspace: Workspace, admin: User) -> None:
    rates.put(workspace, EURO, admin)
    generation = live.book(workspace.pk).generation

    assert rates.put(workspace, EURO, admin)

    assert live.book(workspace.pk).generation == generation
    assert Entry.objects.filter(workspace=workspace.pk, kind="rules.rates").count() == 1


def test_nobody_overwrites_what_he_has_not_seen(workspace: Workspace, admin: User) -> None:
    rates.put(workspace, EURO, admin, instead_of="")

    with pytest.raises(NotNow, match="meanwhile"):
        rates.put(workspace, {}, admin, instead_of="")

    assert live.book(workspace.pk).rates == EURO


def test_where_two_people_are_asked_for_one_changes_no_rate(workspace: Workspace, admin: User, second: User) -> None:
    rulebook.set_two_people(workspace, True, admin)

    assert not rates.put(workspace, EURO, admin)
    assert live.book(workspace.pk).rates == {}
    agreeing.agree(Proposal.objects.get().pk, workspace, second)

    assert live.book(workspace.pk).rates == EURO
