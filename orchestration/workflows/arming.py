"""Triggers of what is live: set when a version goes live, taken away with it, paused and resumed by a person. Each in
the transaction of its cause, with its ledger entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orchestration.ledger import entries
from orchestration.workflows import triggers
from orchestration.workflows.declared_models import WorkflowDefinition
from orchestration.workflows.definition import Definition
from orchestration.workflows.fields import Fields
from orchestration.workflows.trigger_models import WorkflowTrigger
from orchestration.workflows.triggers import Trigger


def arm(definition: WorkflowDefinition, plan: Definition) -> None:
    """These triggers and no others. What the version before said too goes on as it was, paused or not."""
    wanted = {each.digest: each for each in plan.triggers if each.on != "api"}
    disarm(definition, keep=list(wanted))
    now = timezone.now()
    for digest, trigger in wanted.items():
        row, made = definition.triggers.get_or_create(
            digest=digest,
            defaults={"workspace_id": definition.workspace_id, "on": trigger.on, "body": trigger.stored()},
        )
        if made or not row.live:
            row.live, row.since, row.next_at = True, now, None if row.paused_at else _next(trigger)
        row.body = trigger.stored()
        row.save(update_fields=["live", "since", "next_at", "body"])


def disarm(definition: WorkflowDefinition, keep: list[str] | None = None) -> None:
    definition.triggers.filter(live=True).exclude(digest__in=keep or []).update(live=False, next_at=None)


def pause(workspace_id: int, trigger_id: UUID, by: str, reason: str) -> WorkflowTrigger | None:
    """Nothing starts by it from now on. Paused already: it stays as it is. None: there is no such trigger."""
    with transaction.atomic():
        row = _locked(workspace_id, trigger_id)
        if row and row.paused_at is None:
            row.paused_at, row.paused_by, row.pause_reason, row.next_at = timezone.now(), by[:200], reason[:400], None
            row.save(update_fields=["paused_at", "paused_by", "pause_reason", "next_at"])
            note(row, "trigger_paused", by, {"reason": reason[:400]})
    return row


def resume(workspace_id: int, trigger_id: UUID, by: str) -> WorkflowTrigger | None:
    """What happened meanwhile starts nothing."""
    with transaction.atomic():
        row = _locked(workspace_id, trigger_id)
        if row and row.paused_at is not None:
            note(row, "trigger_resumed", by, {"since": row.paused_at.isoformat()})
            row.paused_at, row.paused_by, row.pause_reason, row.since = None, "", "", timezone.now()
            row.next_at = _next(of(row)) if row.live else None
            row.save(update_fields=["paused_at", "paused_by", "pause_reason", "since", "next_at"])
    return row


def of(row: WorkflowTrigger) -> Trigger:
    """What the row says; it was checked when it was saved."""
    return triggers.read(Fields.of(row.body, "", []), "")


def note(row: WorkflowTrigger, kind: str, by: str, more: Mapping[str, Any]) -> None:
    told = {"workflow": row.definition.name, "trigger": triggers.words(of(row)), **more}
    subject = ("workflow_trigger", str(row.pk))
    entries.record(row.workspace_id, f"workflow.{kind}", subject, by, told, timezone.now())


def _next(trigger: Trigger) -> Any:
    return triggers.first_after(trigger, timezone.now()) if trigger.on == "schedule" else None


def _locked(workspace_id: int, trigger_id: UUID) -> WorkflowTrigger | None:
    mine = WorkflowTrigger.objects.select_for_update(of=("self",)).select_related("definition")
    return mine.filter(workspace_id=workspace_id, pk=trigger_id).first()
