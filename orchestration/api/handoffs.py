"""Handoffs as people read them, and as the description tells of them. Agents come with keys to the door
(`coordination`), which has the same address and shape and does the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from ninja import Field, Query, Router, Schema

from orchestration.api.auth import Caller, KeyAuth
from orchestration.api.shapes import Asked, PageIn, Text
from orchestration.handoffs import demands, lists, parties
from orchestration.handoffs.demands import Demanded
from orchestration.handoffs.given import Speaker
from orchestration.handoffs.lists import Asked as Narrowed
from orchestration.handoffs.models import Envelope
from orchestration.handoffs.told import told
from orchestration.lib.paging import Page
from orchestration.workspaces.current import may_read_content

router = Router(auth=KeyAuth("read"), tags=["Coordination"])
StateName = Literal["sent", "accepted", "rejected", "completed", "expired"]


class ReturnedOut(Schema):
    type: Literal["silent", "late"]
    message: str
    at: datetime


class HandoffOut(Schema):
    """`asked` and all lists are null for who may not read what agents write."""

    id: UUID
    version: int
    run: str
    run_id: UUID | None
    sender: str = Field(alias="from")
    receiver: str = Field(alias="to")
    done: list[Any] | None
    asked: str | None
    evidence: list[Any] | None
    open_questions: list[Any] | None
    constraints: list[Any] | None
    data_classes: list[str] | None
    facts: dict[str, Any] | None
    state: StateName
    sent_at: datetime
    expires_at: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    result: Any
    demands: int | None = Field(description="Version of what its pair of agents needs")
    due_at: datetime | None = Field(description="Taken: until when its receiver shows life, or asks for more time")
    returned: int = Field(description="How often whoever took it was given up")
    fence: int = Field(description="Grows each time that it is taken, and taken back")
    problem: ReturnedOut | None = Field(description="Why it came back last, or expired though it was taken")


class HandoffsOut(Schema):
    items: list[HandoffOut]
    next: str | None


class HandoffsIn(PageIn):
    sender: Text = Field("", alias="from", description="An agent, however it is spelled")
    receiver: Text = Field("", alias="to", description="An agent, however it is spelled")
    state: StateName | Literal["", "open"] = ""
    run: Text = Field("", description="By any of its names")
    wait: float = Field(
        0, ge=0, description="With a key, `to` and state=sent: seconds to wait until there are any, 60 at most"
    )


class DemandedOut(Schema):
    name: str
    kind: Literal["text", "number", "whole", "flag", "time", "list", "object"]
    needed: bool


class DemandsOut(Schema):
    sender: str | None = Field(alias="from")
    receiver: str | None = Field(alias="to")
    version: int | None = Field(description="Null: nothing beyond the common shape")
    facts: list[DemandedOut]
    least: dict[str, int] = Field(description="How many items of a list there have to be")
    classes: list[str] | None = Field(description="The only kinds of data that may go along; null: any")
    again: bool = Field(description="Whether what one has begun goes to the next, once the first was given up")


class PairIn(Schema):
    sender: Text = Field("", alias="from")
    receiver: Text = Field("", alias="to")


@router.get("/handoffs", response=HandoffsOut, by_alias=True, summary="Handoffs, newest first")
def list_handoffs(request: Asked, wanted: Query[HandoffsIn]) -> Page[dict[str, Any]]:
    """Those that wait for one receiver come oldest first. Scope work or read."""
    narrowed = Narrowed(wanted.sender, wanted.receiver, wanted.state, wanted.run, wanted.q)
    page = lists.listing(_speaker(request.auth), narrowed, wanted.limit, wanted.cursor or None)
    return Page([_told(row, request.auth) for row in page.items], page.next)


@router.get("/handoffs/demands", response=DemandsOut, by_alias=True, summary="What a pair of agents needs")
def get_demands(request: Asked, wanted: Query[PairIn]) -> dict[str, Any]:
    pair = parties.between(request.auth.workspace_id, wanted.sender, wanted.receiver)
    found = Demanded.of(demands.row_of(request.auth.workspace_id, pair))
    return {"from": wanted.sender, "to": wanted.receiver, "version": found.version or None, **found.stored}


@router.get("/handoffs/{handoff_id}", response=HandoffOut, by_alias=True, summary="One handoff")
def get_handoff(request: Asked, handoff_id: UUID) -> dict[str, Any]:
    row = Envelope.objects.filter(workspace=request.auth.workspace_id, pk=handoff_id).first()
    if row is None:
        raise Http404("There is no such handoff in this workspace.")
    return _told(row, request.auth)


def _speaker(caller: Caller) -> Speaker:
    bearer = caller.bearer
    return Speaker(caller.workspace_id, bearer.key_id if bearer else 0, bearer.agents if bearer else frozenset())


def _told(row: Envelope, caller: Caller) -> dict[str, Any]:
    return told(row, content=caller.membership is None or may_read_content(caller.membership))
