"""Amounts of money: stored as billionths of a currency, shown as a decimal number with it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

BILLIONTH = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str


def money(billionths: int | None, currency: str) -> Money | None:
    """None stays None: an unknown cost is never 0."""
    return None if billionths is None else Money(billionths * BILLIONTH, currency)
