"""Runs of declared workflows: started, looked at, cancelled, rolled back. On the router of runs: they are runs too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from ninja import Field, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.refusals import Refused, wrong
from orchestration.api.runs import router
from orchestration.api.shapes import Asked, Text
from orchestration.autonomy import ordering, work
from orchestration.autonomy.aims import aim
from orchestration.autonomy.models import Kind, Target
from orchestration.autonomy.ordering import Wish
from orchestration.control import driving
from orchestration.workflows import anew
from orchestration.workflows.carried import TooMuch, carried
from orchestration.workflows.declared_models import DeclaredRun
from orchestration.workflows.execution import Execution, execution
from orchestration.workflows.moving import Moving
from orchestration.workflows.starting import KeyUsed, Start

__all__ = ["router"]

StateName = Literal["running", "completed", "failed", "cancelled", "undoing", "undone"]
TaskName = Literal["blocked", "ready", "leased", "asked", "called", "done", "failed", "skipped", "cancelled"]
TOO_LATE: dict[str, Any] = {"responses": {"409": {"description": "It has ended otherwise meanwhile"}}}


class StartIn(Schema):
    workflow: Text = Field(description="Name of a declared workflow that is live")
    input: dict[str, Any] = Field({}, description="What the run begins with, at most 16 KiB")
    title: Text = Field("", description="What people call this run")
    key: Text = Field("", description="As the header Idempotency-Key: the same key is the same run")


class WhyIn(Schema):
    reason: Text = ""


class TryAgainIn(Schema):
    """Without `failed_at`, whatever failed last is meant."""

    reason: Text = ""
    failed_at: datetime | None = Field(None, description="`ended_at` of the failure that is meant; another: no change")


class TaskOut(Schema):
    id: str
    name: str
    owner_kind: Literal["agent", "skill", "human", "webhook"]
    owner: str
    after: list[str]
    state: TaskName
    attempt: int
    retries: int
    holder: str
    due_at: datetime | None = Field(description="Ready: from when it may be taken; in work: when the lease ends")
    hold: UUID | None
    error_class: str
    error: str
    started_at: datetime | None
    ended_at: datetime | None
    result: Any


class EffectOut(Schema):
    id: UUID
    number: int
    step: str
    name: str
    state: Literal["done", "asked", "undone", "failed", "kept"] = Field(description="kept: nobody can take it back")
    error: str
    done_at: datetime
    ended_at: datetime | None


class DeclaredOut(Schema):
    """A run of a declared workflow, as the engine has it; `GET /runs/{id}` tells the same run as any other."""

    id: UUID
    workflow: str
    version: int
    title: str
    state: StateName
    error: str
    started_at: datetime
    ended_at: datetime | None
    retries_left: int
    steps: list[TaskOut]
    effects: list[EffectOut] = Field(description="Newest first, as they are taken back")


@router.post("/runs", response=DeclaredOut, auth=KeyAuth("work"), summary="Start a declared workflow")
def start_run(request: Asked, wanted: StartIn) -> Execution:
    """Answered once it is safe on disk. The same key and body give the run that was started first, as it stands."""
    given = request.headers.get("Idempotency-Key", "") or wanted.key
    own = hashlib.sha256(given.encode("utf-8", "replace")).hexdigest() if given else ""
    try:
        told = carried(wanted.input)
        title = carried(wanted.title)
    except TooMuch as error:
        raise wrong("input", str(error)) from error
    start = Start(actor(request), told, title, f"{actor(request)}:{own}" if own else "")
    try:
        run, _ = driving.start(request.auth.workspace_id, wanted.workflow, start)
    except driving.Unknown as error:
        raise wrong("workflow", str(error)) from error
    except KeyUsed as error:
        raise wrong("key", str(error)) from error
    return _told(request, run.id)


@router.get("/runs/{run_id}/steps", response=DeclaredOut, summary="How far a declared run is")
def get_steps(request: Asked, run_id: UUID) -> Execution:
    return _told(request, run_id)


@router.post(
    "/runs/{run_id}/cancel",
    response=DeclaredOut,
    auth=KeyAuth("work"),
    summary="End a declared run",
    openapi_extra=TOO_LATE,
)
def cancel_run(request: Asked, run_id: UUID, wanted: WhyIn) -> Execution:
    """Nothing more begins; who works for it is told to stop at the next sign of life, and whoever asks for it too."""
    told = _turned(request, run_id, driving.cancel, wanted.reason)
    _stop_asks(request, run_id, wanted.reason)
    return told


@router.post(
    "/runs/{run_id}/rollback", response=DeclaredOut, auth=KeyAuth("work"), summary="Take back what a declared run did"
)
def roll_back(request: Asked, run_id: UUID, wanted: WhyIn) -> Execution:
    """Newest effect first, each asked for once; a run that goes on is cancelled before. Look at `effects` for how far
    it is."""
    return _turned(request, run_id, driving.roll_back, wanted.reason)


@router.post(
    "/runs/{run_id}/steps/{step}/retry",
    response=DeclaredOut,
    auth=KeyAuth("work"),
    summary="Try one step again that failed for good",
    openapi_extra=TOO_LATE,
)
def retry_step(request: Asked, run_id: UUID, step: Text, wanted: TryAgainIn) -> Execution:
    """Steps that are done stay done, and what waited for this one goes on. Twice is once, while it is being tried."""

    return _again(request, run_id, wanted, lambda m, by, why: anew.step(m, step, by, why, wanted.failed_at))


@router.post(
    "/runs/{run_id}/effects/{effect_id}/retry",
    response=DeclaredOut,
    auth=KeyAuth("work"),
    summary="Try again to take an effect back",
    openapi_extra=TOO_LATE,
)
def retry_undo(request: Asked, run_id: UUID, effect_id: UUID, wanted: TryAgainIn) -> Execution:
    """Of an effect that could not be taken back. It is asked for by the same key, so that it is never undone twice."""

    return _again(request, run_id, wanted, lambda m, by, why: anew.undo(m, effect_id, by, why, wanted.failed_at))


def _again(request: Asked, run_id: UUID, wanted: TryAgainIn, go: Callable[[Moving, str, str], bool]) -> Execution:
    def turn(place: int, run: UUID, by: str, why: str) -> DeclaredRun | None:
        return driving.try_again(place, run, lambda m: go(m, by, why))

    return _turned(request, run_id, turn, wanted.reason)


def _turned(
    request: Asked, run_id: UUID, turn: Callable[[int, UUID, str, str], DeclaredRun | None], reason: str
) -> Execution:
    try:
        if turn(request.auth.workspace_id, run_id, actor(request), carried(reason)) is None:
            raise _none()
    except driving.NotNow as error:
        raise Refused(409, "conflict", str(error)) from error
    except TooMuch as error:
        raise wrong("reason", str(error)) from error
    return _told(request, run_id)


def _stop_asks(request: Asked, run_id: UUID, reason: str) -> None:
    """The same as the act that people have for it, where the run is known by its telemetry already."""
    target = aim(request.auth.workspace_id, Target.RUN, str(run_id))
    if target is not None:
        wish = Wish(Kind.CANCEL, actor(request), f"declared:{run_id}", reason or "Cancelled by its key")
        work.carry_out_one(ordering.order(request.auth.workspace_id, wish, target))


def _told(request: Asked, run_id: UUID) -> Execution:
    found = execution(request.auth.workspace_id, run_id)
    if found is None:
        raise _none()
    return found


def _none() -> Http404:
    return Http404("There is no such declared run in this workspace.")


def actor(request: Asked) -> str:
    return f"key:{request.auth.bearer.key_id}" if request.auth.bearer else ""
