"""Amounts are decimal, and unknown is not nothing."""

from __future__ import annotations

from decimal import Decimal

from orchestration.lib.money import money


def test_billionths_become_an_amount_without_loss() -> None:
    found = money(1_234_567_891, "EUR")

    assert found is not None
    assert (found.amount, found.currency) == (Decimal("1.234567891"), "EUR")


def test_what_nobody_knows_stays_unknown() -> None:
    assert money(None, "USD") is None


def test_nothing_is_an_amount() -> None:
    found = money(0, "USD")

    assert found is not None
    assert found.amount == 0
