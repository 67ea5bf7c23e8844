"""What admins set for a workspace as a whole, each with its ledger entry in the same transaction: prices, currency, how
long data is kept and whether words of agents are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.db import transaction

from orchestration.control.administration import note
from orchestration.registry import prices
from orchestration.registry.models import Price
from orchestration.workspaces import ways
from orchestration.workspaces.models import User, Workspace
from orchestration.workspaces.ways import Keeping


@transaction.atomic
def put_prices(workspace: Workspace, rows: Iterable[Price], gone: Iterable[Price], by: User) -> None:
    """Raises IntegrityError when somebody else has priced the same model meanwhile."""
    before = {row.pk: row for row in Price.objects.filter(workspace=workspace)}
    prices.put(workspace, rows, by)
    for row in Price.objects.current().filter(workspace=workspace):
        was = before.get(row.pk)
        held = _price(was) if was and was.retired_at is None else None
        if held != _price(row) or (was and was.model != row.model):
            _note_price("price.changed", row, by, {**_price(row), "before": held})
    for row in gone:
        retire_price(row, by)


@transaction.atomic
def retire_price(price: Price, by: User) -> bool:
    done = prices.retire(price, by)
    if done:
        _note_price("price.retired", price, by, {"before": _price(price)})
    return done


@transaction.atomic
def restore_price(price: Price, by: User) -> bool:
    done = prices.restore(price, by)
    if done:
        _note_price("price.restored", price, by, _price(price))
    return done


@transaction.atomic
def start_prices(workspace: Workspace, by: User) -> int:
    """How many of the starting table's prices were new."""
    n = prices.seed(workspace, by)
    if n:
        note(workspace.pk, "prices.started", ("workspace", workspace.slug), by, {"prices": n})
    return n


@transaction.atomic
def count_in(workspace: Workspace, currency: str, by: User) -> None:
    before = Workspace.objects.select_for_update().get(pk=workspace.pk).currency
    ways.count_in(workspace, currency, by)
    if before != currency:
        told = {"before": before, "after": currency}
        note(workspace.pk, "workspace.currency", ("workspace", workspace.slug), by, told)


@transaction.atomic
def keep_for(workspace: Workspace, keeping: Keeping, by: User, *, instead_of: Keeping | None = None) -> Keeping:
    """Raises NotKept."""
    before = ways.keep_for(workspace, keeping, by, instead_of=instead_of)
    if before != keeping:
        told = {"before": asdict(before), "after": asdict(keeping)}
        note(workspace.pk, "workspace.retention", ("workspace", workspace.slug), by, told)
    return before


@transaction.atomic
def keep_content(workspace: Workspace, wanted: bool, by: User) -> bool:
    """False when it was so already."""
    done = ways.keep_content(workspace, wanted, by)
    if done:
        note(workspace.pk, "workspace.content", ("workspace", workspace.slug), by, {"after": wanted})
    return done


def _price(row: Price) -> dict[str, Any]:
    """Amounts are texts in the ledger, without trailing zeros."""
    values = {"input": row.input, "output": row.output, "cached": row.cached}
    return {name: None if value is None else f"{value.normalize():f}" for name, value in values.items()}


def _note_price(kind: str, row: Price, by: User, told: dict[str, Any]) -> None:
    note(row.workspace_id, kind, ("price", str(row.pk)), by, {"model": row.model, **told})
