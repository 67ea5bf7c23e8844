"""What waits for people, and what they said, as JSON: for keys that read, and for people who are logged in. Agents wait
for one verdict at the door (`holds`), which has the same address and shape."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from ninja import Field, Query, Router, Schema

from orchestration.api.auth import Caller, KeyAuth
from orchestration.api.shapes import Asked, PageIn, Text
from orchestration.holds import lists
from orchestration.holds.told import told
from orchestration.lib.paging import Page
from orchestration.workspaces.current import may_read_content

router = Router(auth=KeyAuth("read"), tags=["Decisions"])


class HoldOut(Schema):
    id: UUID
    state: Literal["open", "decided", "applied", "expired", "cancelled"] = Field(
        description="open until the verdict can no longer be taken back"
    )
    verdict: Literal["approve", "reject", "amend", "more"] | None
    amend: dict[str, Any] | None
    note: str | None
    run: str | None
    agent: str
    question: str | None = Field(description="Null for who may not read what agents write, as are the other words")
    policy: str | None
    version: int | None
    batch: UUID | None
    due_at: datetime | None
    opened_at: datetime
    decided_at: datetime | None
    step: str | None
    proposal: str | None
    why: str | None
    skill: str | None
    reversible: bool | None
    source: Literal["decision", "agent", "telemetry", "failure"]
    decision: UUID | None
    applied_at: datetime | None


class HoldsOut(Schema):
    items: list[HoldOut]
    next: str | None


class HoldsIn(PageIn):
    state: Literal["", "open", "applied", "expired", "cancelled"] = ""
    agent: Text = Field("", description="A name, however it is spelled")
    run: Text = Field("", description="As the caller named it")
    policy: Text = Field("", description="Slug")


class WaitIn(Schema):
    wait: float = Field(0, ge=0, description="With a key: seconds to wait for the verdict, 60 at most")


@router.get("/holds", response=HoldsOut, summary="Questions to people, newest first")
def list_holds(request: Asked, wanted: Query[HoldsIn]) -> Page[dict[str, Any]]:
    page = lists.listing(request.auth.workspace_id, vouched=_vouched(request.auth), **wanted.dict())
    return Page([_told(row, request.auth) for row in page.items], page.next)


@router.get("/holds/{hold_id}", response=HoldOut, summary="One question and its verdict, by long poll")
def get_hold(request: Asked, hold_id: UUID, wanted: Query[WaitIn]) -> dict[str, Any]:
    """Answers at once when the hold has ended, else as soon as it does or the time is over. Scope decide or read."""
    row = lists.one(request.auth.workspace_id, hold_id, _vouched(request.auth))
    if row is None:
        raise Http404("There is no such hold in this workspace.")
    return _told(row, request.auth)


def _vouched(caller: Caller) -> frozenset[str]:
    return caller.bearer.agents if caller.bearer else frozenset()


def _told(row: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Reviewers read what they are asked; other people only with the right to read content."""
    member = caller.membership
    return told(row, content=member is None or member.has("reviewer") or may_read_content(member))
