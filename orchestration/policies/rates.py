"""What money of other currencies is worth in a workspace's own, as an admin says it: without a rate, an amount in
another currency compares with nothing. A decision keeps the rate it was made by, so that a later one changes no replay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from django.db import transaction

from orchestration.policies import live, proposals, rulebook
from orchestration.policies.asks import Rates
from orchestration.policies.lifecycle import NotNow
from orchestration.policies.models import Act
from orchestration.workspaces.models import User, Workspace

MOST = 60  # currencies
HIGHEST, PLACES = Decimal(10) ** 9, 10
_LINE = re.compile(r"\s*([A-Za-z]{3})\s*[\s:=]\s*(\S+)\s*")


def read(text: str, own: str) -> dict[str, Decimal]:
    """A rate a line, such as `EUR 1.08`. Raises NotNow, which names the line."""
    found: dict[str, Decimal] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        currency, rate = _rate(line, number)
        if currency == own:
            raise NotNow(f"Line {number} of the exchange rates: {own} is what this workspace counts in.")
        if currency in found:
            raise NotNow(f"Line {number} of the exchange rates: {currency} has two, keep one.")
        found[currency] = rate
    if len(found) > MOST:
        raise NotNow(f"At most {MOST} exchange rates are kept.")
    return dict(sorted(found.items()))


def _rate(line: str, number: int) -> tuple[str, Decimal]:
    told = _LINE.fullmatch(line)
    if told is None:
        raise NotNow(f"Line {number} of the exchange rates is not a currency and a number, such as EUR 1.08.")
    try:
        rate = Decimal(told[2])
    except InvalidOperation:
        rate = Decimal(0)
    if not (rate.is_finite() and 0 < rate <= HIGHEST and round(rate, PLACES) == rate):
        raise NotNow(
            f"Line {number} of the exchange rates: {told[2][:30]} is not a number above 0 with at most {PLACES} digits "
            "behind the point."
        )
    return told[1].upper(), rate.normalize()


def told(rates: Rates) -> dict[str, str]:
    """As JSON keeps them."""
    return {currency: f"{rate:f}" for currency, rate in sorted(rates.items())}


def text(rates: Mapping[str, str]) -> str:
    """What `read` takes, of what is kept."""
    return "\n".join(f"{currency} {rate}" for currency, rate in sorted(rates.items()))


def of(workspace_id: int) -> tuple[str, dict[str, Decimal]]:
    """The workspace's currency, and what others are worth in it."""
    own, kept = Workspace.objects.values_list("currency", "rulebook__rates").get(pk=workspace_id)
    return own, {currency: Decimal(rate) for currency, rate in (kept or {}).items()}


def put(workspace: Workspace, rates: Rates, by: User, *, instead_of: str | None = None) -> bool:
    """In force everywhere with the commit. Where publishing takes two people so does this, since each limit stands and
    falls with it. False: it waits for a second person. With `instead_of` only where that (as `text` gives it) still
    holds, so that nobody overwrites what he has not seen: else NotNow."""
    with transaction.atomic():
        book = rulebook.locked(workspace)
        change = {"before": book.rates, "after": told(rates)}
        if change["before"] == change["after"]:
            return True
        if instead_of not in (None, text(book.rates)):
            raise NotNow("Somebody else has changed the exchange rates meanwhile.")
        if book.two_people and not proposals.agreed(workspace, None, Act.RATES, change, by):
            return False
        book.rates = change["after"]
        book.save(update_fields=["rates"])
        live.renew([workspace.pk])
        rulebook.note(workspace, "rules.rates", by, change)
    return True
