"""What starts a declared workflow by itself, and what came of it; paused and resumed by a key of an admin."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from ninja import Field, Router, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.conformance import flow_of
from orchestration.api.shapes import Asked, Text
from orchestration.api.starts import actor
from orchestration.workflows import arming
from orchestration.workflows.declared_models import WorkflowDefinition
from orchestration.workflows.fired import fired, triggers_of

router = Router(auth=KeyAuth("read"), tags=["Figures"])


class TriggerOut(Schema):
    id: UUID
    on: Literal["schedule", "run", "rule"]
    words: str
    live: bool = Field(description="The version in force has it")
    next_at: datetime | None
    last_at: datetime | None
    missed: int = Field(description="Times of a schedule that passed while Baton was not running")
    most_an_hour: int = Field(description="Runs that it may start within an hour; 0: a clock sets the pace")
    started_lately: int = Field(description="Runs that it has started within the last hour")
    limited: int = Field(description="Occurrences within the last hour that started none, being more than it may")
    paused_at: datetime | None
    paused_by: str
    pause_reason: str


class FiredOut(Schema):
    """One occurrence starts one run. A missed one may stand for several, up to `until`."""

    id: UUID
    trigger: UUID
    state: Literal["waiting", "started", "missed", "refused", "limited"]
    due_at: datetime
    until: datetime | None
    count: int
    run: UUID | None
    error: str


class TriggersOut(Schema):
    workflow: str
    triggers: list[TriggerOut]
    fired: list[FiredOut] = Field(description="The newest twenty-five")


class PauseIn(Schema):
    reason: str = Field(min_length=1, max_length=400)


@router.get("/workflows/{workflow_id}/triggers", response=TriggersOut, summary="What starts a workflow by itself")
def get_triggers(request: Asked, workflow_id: Text) -> dict[str, Any]:
    return _told(_definition(request, workflow_id))


@router.post(
    "/workflows/{workflow_id}/triggers/{trigger_id}/pause",
    response=TriggersOut,
    auth=KeyAuth("admin"),
    summary="Have nothing start by a trigger",
)
def pause(request: Asked, workflow_id: Text, trigger_id: UUID, wanted: PauseIn) -> dict[str, Any]:
    """Paused already: nothing changes."""
    definition = _definition(request, workflow_id)
    _mine(definition, trigger_id)
    arming.pause(definition.workspace_id, trigger_id, actor(request), wanted.reason.replace("\0", ""))
    return _told(definition)


@router.post(
    "/workflows/{workflow_id}/triggers/{trigger_id}/resume",
    response=TriggersOut,
    auth=KeyAuth("admin"),
    summary="Let a paused trigger start runs again",
)
def resume(request: Asked, workflow_id: Text, trigger_id: UUID) -> dict[str, Any]:
    """What happened meanwhile starts nothing."""
    definition = _definition(request, workflow_id)
    _mine(definition, trigger_id)
    arming.resume(definition.workspace_id, trigger_id, actor(request))
    return _told(definition)


def _told(definition: WorkflowDefinition) -> dict[str, Any]:
    return {"workflow": definition.name, "triggers": triggers_of(definition), "fired": fired(definition)}


def _definition(request: Asked, workflow_id: str) -> WorkflowDefinition:
    flow = flow_of(request, workflow_id)
    found = WorkflowDefinition.objects.filter(workspace_id=flow.workspace_id, name=flow.name).first()
    if found is None:
        raise Http404("This workflow is not declared.")
    return found


def _mine(definition: WorkflowDefinition, trigger_id: UUID) -> None:
    if not definition.triggers.filter(pk=trigger_id).exists():
        raise Http404("This workflow has no such trigger.")
