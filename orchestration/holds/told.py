"""A hold as agents see it: a verdict that a person may still take back has not been given yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.holds.models import PENDING, State

# of the row; the first fourteen are what clients may rely on
SHOWN = (
    "id",
    "state",
    "verdict",
    "amend",
    "note",
    "run",
    "agent",
    "question",
    "policy",
    "version",
    "batch",
    "due_at",
    "opened_at",
    "decided_at",
    "step",
    "proposal",
    "why",
    "skill",
    "reversible",
    "source",
    "decision_id",
    "applied_at",
)
_ANSWER = ("verdict", "amend", "note", "decided_at", "applied_at")
_CONTENT = ("question", "proposal", "why", "note", "amend")


def told(row: Mapping[str, Any], *, content: bool = True) -> dict[str, Any]:
    """`row` has at least the columns of `SHOWN`. Without `content` what was asked and said in words is left out."""
    found = {name: row[name] for name in SHOWN}
    if found["state"] in PENDING:
        found |= dict.fromkeys(_ANSWER) | {"state": State.OPEN.value}
    if not content:
        found |= dict.fromkeys(_CONTENT)
    found["decision"] = found.pop("decision_id")
    return {name: None if value == "" else value for name, value in found.items()}
