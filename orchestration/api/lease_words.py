"""What is said of a lease by whoever holds it: a sign of life, done, failed. Whoever lost it is told so (409), and what
has become of the step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import Http404
from ninja import Field, Router, Schema
from pydantic import StringConstraints

from orchestration.api.auth import KeyAuth
from orchestration.api.leases import speaks_for
from orchestration.api.refusals import Refused
from orchestration.api.shapes import Asked, Text
from orchestration.api.starts import actor, wrong
from orchestration.control import driving
from orchestration.workflows import leases
from orchestration.workflows.carried import TooMuch, carried
from orchestration.workflows.declared_models import Task
from orchestration.workflows.engine import Done, Failed
from orchestration.workflows.leases import LeaseId, NotYours

router = Router(auth=KeyAuth("work"), tags=["Work"])
LOST: dict[str, Any] = {"responses": {"409": {"description": "The lease ended; the step goes on without you"}}}
MOST_EFFECTS = 20
ErrorClass = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$")]


class EffectIn(Schema):
    """Something that was done to the world. A run that is rolled back takes it back, newest first."""

    name: Text
    key: Text = Field("", description="By which the receiver of the effect knows it")
    data: dict[str, Any] | None = Field(None, description="What is needed to take it back")


class CompleteIn(Schema):
    result: dict[str, Any] = Field({}, description="What later steps and guards read, at most 16 KiB")
    effects: list[EffectIn] = Field(
        [], max_length=MOST_EFFECTS, description="None: the step itself, if it has a compensation"
    )


class FailIn(Schema):
    error_class: ErrorClass = Field("error", description="By which the step's retry rules know it")
    error: str = Field("", max_length=4000, description="What went wrong, in words")
    effects: list[EffectIn] = Field([], max_length=MOST_EFFECTS, description="What was done all the same")


class AliveOut(Schema):
    expires_at: datetime
    stop: bool = Field(description="The run was ended: stop, and say what was done")


class StepOut(Schema):
    run: UUID
    step: str
    state: str
    attempt: int
    due_at: datetime | None = Field(description="Of a step that is tried again: from when")


@router.post("/leases/{lease_id}/heartbeat", response=AliveOut, summary="Keep a step", openapi_extra=LOST)
def heartbeat(request: Asked, lease_id: Text) -> Any:
    lease = _lease(request, lease_id)
    return _mine(lambda: leases.keep(request.auth.workspace_id, lease))


@router.post("/leases/{lease_id}/complete", response=StepOut, summary="Finish a step", openapi_extra=LOST)
def complete(request: Asked, lease_id: Text, wanted: CompleteIn) -> dict[str, Any]:
    """The same word again changes nothing."""
    lease = _lease(request, lease_id)
    done = Done(_carried("result", wanted.result), _effects(wanted.effects), actor(request))
    return _told(_mine(lambda: driving.complete(request.auth.workspace_id, lease, done)))


@router.post("/leases/{lease_id}/fail", response=StepOut, summary="Give a step up", openapi_extra=LOST)
def fail(request: Asked, lease_id: Text, wanted: FailIn) -> dict[str, Any]:
    """It is tried again as its retry rules say, or has failed for good."""
    lease = _lease(request, lease_id)
    words = str(_carried("error", wanted.error))
    failed = Failed(wanted.error_class, words, _effects(wanted.effects), actor(request))
    return _told(_mine(lambda: driving.fail(request.auth.workspace_id, lease, failed)))


def _lease(request: Asked, text: str) -> LeaseId:
    """A key that speaks for some agents answers for their leases alone. A step that an address was called for is held
    by no agent: whoever was told its lease may answer."""
    found, bearer = LeaseId.read(text), request.auth.bearer
    task = leases.find(request.auth.workspace_id, found) if found else None
    if found is None or task is None or bearer is None:
        raise Http404("There is no such lease in this workspace.")
    if task.holder and leases.held(task, found) and not speaks_for(bearer, task.holder):
        raise Refused(403, "forbidden", "This key does not speak for the agent that holds this lease.")
    return found


def _mine(say: Callable[[], Any]) -> Any:
    try:
        return say()
    except NotYours as error:
        raise Refused(409, "conflict", str(error)) from error


def _effects(given: list[EffectIn]) -> list[tuple[str, str, Any]]:
    found = []
    for place, each in enumerate(given):
        at = f"effects[{place}]"
        name, key = _carried(f"{at}.name", each.name), _carried(f"{at}.key", each.key)
        found.append((name, key, _carried(f"{at}.data", each.data or {})))
    return found


def _carried(field: str, value: Any) -> Any:
    try:
        return carried(value)
    except TooMuch as error:
        raise wrong(field, str(error)) from error


def _told(task: Task) -> dict[str, Any]:
    due_at = task.due_at if task.state == "ready" else None
    return {"run": task.run_id, "step": task.step, "state": task.state, "attempt": task.attempt, "due_at": due_at}
