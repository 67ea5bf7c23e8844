"""Who should get this work: asked by whatever hands it out, answered with the reason in words and numbers."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from django.utils import timezone
from ninja import Field, Router, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.refusals import wrong
from orchestration.api.shapes import Asked, Text
from orchestration.control import route_figures, routes
from orchestration.control.candidates import Unknown, Work
from orchestration.control.routes import KeyUsed

router = Router(auth=KeyAuth("decide"), tags=["Routing"])
Name = Annotated[Text, Field(max_length=256)]
Share = Annotated[float, Field(ge=0, le=1)]


class RouteIn(Schema):
    """At least one of `task`, `system` and `candidates`."""

    task: Name = Field("", description="As steps and actions are called; policies are asked about it")
    system: Name = Field("", description="By slug or name")
    kind: Literal["", "llm", "tool", "retrieval", "embedding"] = Field("", description="Of call; empty: all")
    run: Name = ""
    candidates: list[Name] = Field([], max_length=50, description="Empty: all that have done this work")
    risk: Literal["low", "normal", "high"] = Field("normal", description="On high nothing is tried out")
    amount: Decimal | None = Field(None, ge=0, lt=10**15, max_digits=20, decimal_places=4)
    currency: Annotated[Text, Field(max_length=3)] = ""
    key: Annotated[Text, Field(max_length=255)] = Field("", description="As the header Idempotency-Key")


class MeasuredOut(Schema):
    agent: str
    success: Share = Field(description="Of its calls at this work")
    interval: list[Share] = Field(description="95 %")
    n: int
    failures: int
    barred: str | None = Field(description="Why it is not chosen")


class JudgedOut(Schema):
    effect: str = Field(description="What would be decided if the agent asked; never deny")
    words: str


class RouteOut(Schema):
    id: UUID
    agent: str | None = Field(description="null: nobody may do it now")
    why: str
    measured: MeasuredOut | None
    alternatives: list[MeasuredOut]
    explored: bool = Field(description="A probe or a try: not the one thought best")
    decision: JudgedOut | None = Field(description="null: no task was named, or there is no policy")
    at: datetime


class CellOut(Schema):
    """Recent calls count more, and what is seldom called leans on what its agent and system are like."""

    id: str = Field(description="The agent's")
    agent: str
    system: str
    kind: str = Field(description="Of call")
    success: Share
    low: Share = Field(description="95 % interval")
    high: Share
    calls: int
    failures: int
    worth: float = Field(description="So many calls it is worth as evidence, after decay and for calls that come alike")
    circuit: Literal["closed", "open", "half"]


class ReliabilityOut(Schema):
    items: list[CellOut]
    next: str | None


@router.post("/route", response=RouteOut, summary="Who should get this work, and why")
def post_route(request: Asked, wanted: RouteIn) -> dict[str, Any]:
    """The same key gets the same answer again. Nobody is chosen who is stopped, whose circuit is open, whose work was
    moved, or whom a policy would deny it; and nobody for a run that is cancelled, or whose workflow is paused."""
    key_id = request.auth.bearer.key_id if request.auth.bearer else 0
    return answer(request.auth.workspace_id, key_id, wanted, request.headers.get("Idempotency-Key", ""))


def answer(workspace_id: int, key_id: int, wanted: RouteIn, said: str) -> dict[str, Any]:
    """`said`: the idempotency key of the header. Raises Wrong. `route_door`, which is before `post_route`, asks it."""
    if not (wanted.task or wanted.system or wanted.candidates):
        raise wrong("task", "Say what work it is: a task, a system or candidates.")
    said = said or wanted.key
    if len(said) > 255 or "\0" in said:
        raise wrong("key", "An idempotency key is a text of at most 255 characters.")
    key = f"{key_id}:{_hash(said)}" if said else None
    work = Work(
        wanted.task,
        wanted.system,
        wanted.kind,
        wanted.run,
        tuple(wanted.candidates),
        wanted.risk,
        wanted.amount,
        wanted.currency,
    )
    try:
        return routes.route(workspace_id, work, key, timezone.now())
    except Unknown as error:
        raise wrong(error.field, str(error)) from error
    except KeyUsed as error:
        raise wrong("key", str(error)) from error


@router.get("/reliability", response=ReliabilityOut, auth=KeyAuth("read"), summary="Success by agent and system")
def get_reliability(request: Asked) -> dict[str, Any]:
    """As the page of routing shows it."""
    return {"items": route_figures.lines(request.auth.workspace_id), "next": None}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
