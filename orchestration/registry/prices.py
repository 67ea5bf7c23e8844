"""What tokens cost: the workspace's price table, held in memory for a few seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from orchestration.lib.names import forms
from orchestration.registry.models import Price, ToolSystem
from orchestration.workspaces.models import User, Workspace

FRESH_S = 5.0
TENTHS = 10_000  # tenths of a billionth for a token, of one unit for a million
REMEMBERED = 10_000  # names of models: beyond that all are forgotten, so that made-up ones cannot fill the memory
# What may follow a row's name in a model's: a date, a release or a deployment, never another word (`-mini`, `-audio`).
_RELEASE = re.compile(r"(-v?\d|[:@]|$)")

# List prices of a million tokens in US dollars, so that a new workspace shows costs at all; an admin corrects them.
STARTERS_IN = "USD"
STARTERS: dict[str, tuple[str, str, str | None]] = {
    "gpt-4.1": ("2", "8", "0.5"),
    "gpt-4.1-mini": ("0.4", "1.6", "0.1"),
    "gpt-4.1-nano": ("0.1", "0.4", "0.025"),
    "gpt-4o": ("2.5", "10", "1.25"),
    "gpt-4o-mini": ("0.15", "0.6", "0.075"),
    "claude-sonnet-4": ("3", "15", "0.3"),
    "claude-haiku-4-5": ("1", "5", "0.1"),
    "claude-opus-4-5": ("5", "25", "0.5"),
    "gemini-2.5-pro": ("1.25", "10", "0.31"),
    "gemini-2.5-flash": ("0.3", "2.5", "0.075"),
    "amazon.nova-pro": ("0.8", "3.2", None),
}


@dataclass(slots=True)
class PriceTable:
    """Prices as tenths of a billionth of the currency for one token: a price of 2.5000 a million is 25,000. Whole
    numbers, as exact as decimals of four places and a fifth of their time."""

    rows: dict[str, tuple[int, int, int]]
    known: dict[str, tuple[int, int, int] | None] = field(default_factory=dict)

    def cost(self, model: str, tokens_in: int, tokens_out: int, cached: int = 0) -> int | None:
        """Billionths of the currency, rounded to an even one; None when the model has no price (never 0)."""
        if model not in self.known:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            self.known[model] = self._find(model)
        price = self.known[model]
        if price is None:
            return None
        cached = min(cached, tokens_in)
        whole, tenths = divmod(price[0] * (tokens_in - cached) + price[1] * tokens_out + price[2] * cached, 10)
        return whole + (tenths > 5 or (tenths == 5 and whole % 2 == 1))

    def _find(self, model: str) -> tuple[int, int, int] | None:
        """The longest row that the name starts with, also behind a provider's prefix (`openai/gpt-4.1`)."""
        name = model.casefold()
        for candidate in (name, name.rsplit("/", 1)[-1]):
            fits = [row for row in self.rows if candidate.startswith(row) and _RELEASE.match(candidate, len(row))]
            if fits:
                return self.rows[max(fits, key=len)]
        return None


_tables: dict[int, tuple[float, PriceTable]] = {}
_tools: dict[int, tuple[float, dict[str, str]]] = {}


def table(workspace_id: int) -> PriceTable:
    """The price table, at most `FRESH_S` old. Figures already counted keep the price of their time."""
    found = _tables.get(workspace_id)
    if found and time.monotonic() - found[0] < FRESH_S:
        return found[1]
    rows = {
        price.model.casefold(): (
            int(price.input * TENTHS),
            int(price.output * TENTHS),
            int((price.input if price.cached is None else price.cached) * TENTHS),
        )
        for price in Price.objects.current().filter(workspace_id=workspace_id)
    }
    fresh = PriceTable(rows)
    if found and found[1].rows == rows:
        fresh = found[1]  # keeps its memory of names
    _tables[workspace_id] = (time.monotonic(), fresh)
    return fresh


def tool_systems(workspace_id: int) -> dict[str, str]:
    """Tool name (without case) to the system that an admin says it touches."""
    found = _tools.get(workspace_id)
    if found and time.monotonic() - found[0] < FRESH_S:
        return found[1]
    rows = {forms(row.tool)[0]: row.system for row in ToolSystem.objects.filter(workspace_id=workspace_id)}
    _tools[workspace_id] = (time.monotonic(), rows)
    return rows


def forget() -> None:
    """Empty the memory, between tests."""
    _tables.clear()
    _tools.clear()


def seed(workspace: Workspace, by: User | None = None) -> int:
    """Give a workspace the starting prices; rows it has of those models, retired ones too, are left alone. Answers how
    many were new. They are in US dollars, so a workspace that counts in something else gets none."""
    if workspace.currency != STARTERS_IN:
        return 0
    have = set(Price.objects.filter(workspace=workspace).values_list("model", flat=True))
    new = [
        Price(workspace=workspace, model=model, input=Decimal(i), output=Decimal(o), cached=Decimal(c) if c else None)
        for model, (i, o, c) in STARTERS.items()
        if model not in have
    ]
    Price.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


@transaction.atomic
def put(workspace: Workspace, rows: Iterable[Price], by: User | None = None) -> None:
    """Store changed and new rows. A new row of a model that was retired takes the retired one's place; one that is
    there already just so was sent twice. Raises IntegrityError when somebody else has priced that model meanwhile."""
    for row in rows:
        row.workspace, row.retired_at = workspace, None
        there = Price.objects.filter(workspace=workspace, model=row.model).first() if row.pk is None else None
        if there is not None and there.retired_at is None and _alike(there, row):
            continue
        if there is not None and there.retired_at is not None:
            row.pk = there.pk
        row.save(force_update=row.pk is not None)


def _alike(one: Price, other: Price) -> bool:
    return (one.input, one.output, one.cached) == (other.input, other.output, other.cached)


def retire(price: Price, by: User | None = None) -> bool:
    """Let a row price nothing from now on; what it has priced keeps its cost. False when it was retired already."""
    return Price.objects.current().filter(pk=price.pk).update(retired_at=timezone.now()) == 1


def restore(price: Price, by: User | None = None) -> bool:
    """Let a retired row price again. False when it does already."""
    return Price.objects.filter(pk=price.pk, retired_at__isnull=False).update(retired_at=None) == 1
