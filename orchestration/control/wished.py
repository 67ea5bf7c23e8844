"""What admins want of a workflow: which share of its runs is to end without a person, and whether people are asked
about runs that failed for good. Each change is a receipt."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from orchestration.control.administration import note
from orchestration.workflows.models import Workflow
from orchestration.workspaces.models import User


@dataclass(frozen=True, slots=True)
class Wished:
    """`target`: 0 to 1; None: nothing in particular."""

    target: float | None
    asks_when_failed: bool


@transaction.atomic
def wish(workflow: Workflow, wanted: Wished, by: User) -> bool:
    """False when nothing had to change, also for a form that is sent twice."""
    row = Workflow.objects.select_for_update().get(pk=workflow.pk)
    before = Wished(row.alone_target, row.asks_when_failed)
    if wanted == before:
        return False
    row.alone_target, row.asks_when_failed = wanted.target, wanted.asks_when_failed
    row.save(update_fields=["alone_target", "asks_when_failed"])
    subject = ("workflow", row.slug)
    if wanted.target != before.target:
        told = {"target": _words(wanted.target), "before": _words(before.target)}
        note(row.workspace_id, "workflow.target_set", subject, by, told)
    if wanted.asks_when_failed != before.asks_when_failed:
        note(row.workspace_id, "workflow.failures_asked", subject, by, {"on": wanted.asks_when_failed})
    return True


def _words(target: float | None) -> str | None:
    """As a text: the ledger keeps no fractions."""
    return None if target is None else f"{target * 100:g}%"
