"""Names and values of a case's fields as people read them, and how much time is left. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from orchestration.lib.templatetags.baton import duration
from orchestration.workspaces.models import User

SOON = timedelta(minutes=30)
_ROOTS = ("action.arguments.", "arguments.", "context.", "action.")
_KNOWN = {
    "amount": "Amount",
    "confidence": "Agent sure",
    "evidence": "Evidence",
    "evidence.count": "Pieces of evidence",
    "reversible": "Can be undone",
    "run.errors": "Failed steps",
    "run.retries": "Tries repeated",
    "text": "What is said",
    "known.account": "Account seen before",
    "known.customer": "Customer seen before",
}
_PAST = re.compile(r"past\.(count|amount)_(agent|account|customer|run)_(\d+)([a-z])")
_SPAN = re.compile(r"^(.*?)_(\d+)_?([a-z])$")
_SHARES = re.compile(r"confidence|sure|probability|likelihood|score|share", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clock:
    """How much time is left, in words and as a tone: grey, marigold below half an hour, red when late."""

    words: str
    tone: str  # "" | soon | late


def clock(due_at: datetime | None, now: datetime) -> Clock:
    if due_at is None:
        return Clock("no deadline", "")
    if due_at < now:
        return Clock(f"{duration(_minutes(now - due_at))} late", "late")
    return Clock(duration(_minutes(due_at - now)), "soon" if due_at - now < SOON else "")


def _minutes(time: timedelta) -> timedelta:
    """Whole minutes where there are some: seconds that run would only make people hurry."""
    return timedelta(minutes=time // timedelta(minutes=1)) if time >= timedelta(minutes=1) else time


def label(name: str) -> str:
    """`context.refunds_1y` is `Refunds, 1 y`."""
    if name in _KNOWN:
        return _KNOWN[name]
    if past := _PAST.fullmatch(name):
        what = "Earlier asks" if past[1] == "count" else "Sum asked before"
        return f"{what}, same {past[2]}, {past[3]} {past[4]}"
    for root in _ROOTS:
        name = name.removeprefix(root)
    name = name.removeprefix("evidence.")
    if span := _SPAN.match(name):
        name = f"{span[1]}, {span[2]} {span[3]}"
    words = name.replace(".", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def shown(name: str, value: Any) -> str:
    """A value in a cell: as short as it can be without saying less."""
    if value is None or value in ([], ""):
        return "None" if isinstance(value, list) else "Not known"
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        return _number(name, float(value))
    if isinstance(value, list):
        return ", ".join(str(each).replace("_", " ") for each in value)
    text = str(value)
    return text[:1].upper() + text[1:].replace("_", " ") if text.replace("_", "").isalnum() else text


def _number(name: str, value: float) -> str:
    if name == "amount":
        return f"{value:,.2f}"
    if _SHARES.search(name) and 0 <= value <= 1:
        return f"{value * 100:.0f}%"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def money(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


def totals(amounts: list[tuple[Decimal | None, str]]) -> str:
    """`7,312 EUR, 120.50 USD`: by currency, cents only where there are any."""
    sums: dict[str, Decimal] = {}
    for amount, currency in amounts:
        if amount is not None:
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return ", ".join(f"{_short(total)} {currency}".strip() for currency, total in sorted(sums.items()))


def _short(total: Decimal) -> str:
    return f"{total:,.0f}" if total == total.to_integral_value() else f"{total:,.2f}"


def person(user: User | None) -> str:
    return "Baton" if user is None else user.get_full_name() or user.get_username()
