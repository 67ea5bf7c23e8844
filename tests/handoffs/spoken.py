"""What agents say to each other in these tests."""

from __future__ import annotations

from typing import Any

from orchestration.handoffs.given import Speaker
from orchestration.workspaces.models import Workspace

ENVELOPE: dict[str, Any] = {
    "version": 1,
    "run": "R-1",
    "from": "support-triage",
    "to": "billing",
    "done": [{"step": "identify customer", "by": "support-triage"}],
    "asked": "Refund the damaged order",
    "evidence": [{"kind": "photo", "id": "p-7"}],
    "open_questions": [],
    "constraints": ["Not above 500 EUR"],
    "data_classes": ["pii"],
}


def envelope(**change: Any) -> dict[str, Any]:
    return ENVELOPE | change


def work(**change: Any) -> dict[str, Any]:
    return {"run": "R-1", "key": "customer:4711", "agent": "triage", "ttl_s": 60} | change


def speaker(space: Workspace, *agents: str) -> Speaker:
    return Speaker(space.pk, 1, frozenset(agents))
