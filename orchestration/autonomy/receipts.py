"""The ledger's line of each step that an action takes. No reason's words go in beyond what a person typed as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orchestration.autonomy.models import Action
from orchestration.ledger import entries
from orchestration.ledger.entries import Draft

BATON = "baton:autonomy"


def draft(action: Action, step: str, actor: str, at: datetime, more: Mapping[str, Any] | None = None) -> Draft:
    """`step`: proposed | ordered | done | failed | given_up | undone | declined | tried_again."""
    told = {
        "kind": action.kind,
        "target_kind": action.target_kind,
        "target": action.target,
        "name": action.name,
        "cause": action.cause,
        "cause_id": action.cause_id,
        "reason": action.reason,
        "attempts": action.attempts,
        "order": str(action.order_id) if action.order_id else None,
        "undoes": str(action.undoes_id) if action.undoes_id else None,
    }
    return entries.draft(
        action.workspace_id, f"action.{step}", ("action", str(action.pk)), actor, told | dict(more or {}), at
    )


def note(action: Action, step: str, actor: str, at: datetime, more: Mapping[str, Any] | None = None) -> None:
    """In the transaction that runs."""
    entries.record_all([draft(action, step, actor, at, more)])


def note_all(drafts: Iterable[Draft]) -> None:
    entries.record_all(drafts)
