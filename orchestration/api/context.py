"""What agents that work on the same run are told of one another."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from ninja import Field, Router, Schema

from orchestration.api.auth import Caller, KeyAuth
from orchestration.api.handoffs import HandoffOut
from orchestration.api.shapes import Asked, Text
from orchestration.control import run_context
from orchestration.control.run_context import Context
from orchestration.handoffs.told import claimed, told
from orchestration.workspaces.current import may_read_content

router = Router(tags=["Coordination"])


class MemberOut(Schema):
    name: str
    calls: int
    failures: int
    doing: list[str] = Field(description="Keys of the claims that it has in hand")


class DoneOut(Schema):
    agent: str
    what: str | None = Field(description="Null for who may not read what agents write, as are questions and results")
    at: datetime | None
    by: Literal["step", "handoff"]


class FactOut(Schema):
    key: str = Field(description="Of the claim, or the tool")
    agent: str
    at: datetime
    source: Literal["claim", "tool"]
    system: str | None
    result: Any = Field(description="Of a claim")
    times: int
    agents: int


class InHandOut(Schema):
    id: UUID
    key: str
    holder: str
    since: datetime
    until: datetime


class RequestOut(Schema):
    what: str | None
    agent: str
    since: datetime
    by: Literal["claim", "decision", "step"]


class PolicyInForceOut(Schema):
    slug: str
    name: str
    version: int
    effect: str
    words: str


class OpenHoldOut(Schema):
    id: UUID
    agent: str
    question: str | None
    since: datetime
    due_at: datetime | None


class ContextOut(Schema):
    run: str
    status: Literal["running", "waiting", "completed", "failed", "stalled", "cancelled", "unknown"] = Field(
        description="unknown: nothing but claims and handoffs has come of it yet"
    )
    summary: str = Field(description="What failed and who waits, in a sentence")
    agents: list[MemberOut]
    done: list[DoneOut]
    facts: list[FactOut] = Field(description="Fetched already: no need to do it again")
    in_hand: list[InHandOut] = Field(description="Work that somebody is at: claim it to get its result")
    requests: list[RequestOut] = Field(description="To the customer, unanswered; claim `ask:…` before you ask")
    policies: list[PolicyInForceOut]
    holds: list[OpenHoldOut]
    handoffs: list[HandoffOut]
    coordination: bool = Field(
        description="Its agents are to look here before they fetch anything, to claim look-ups, requests to the "
        "customer and acts, and to hand over by envelopes; an admin said so before the run began"
    )
    as_of: datetime


@router.get(
    "/runs/{run_id}/context",
    response=ContextOut,
    by_alias=True,
    auth=KeyAuth("read", "work"),
    summary="What is known and under way in a run",
)
def get_context(request: Asked, run_id: Text, workflow: Text = "") -> dict[str, Any]:
    """By any name of the run. Scope work or read; a key that only works sees runs that its agents have a part in.
    Whoever begins a run names its `workflow`, so that there is an answer before anything has come of it."""
    found = run_context.context(request.auth.workspace_id, run_id, workflow=workflow)
    new = found is not None and found.line is None and bool(workflow) and not (found.agents or found.holds)
    if found is None or not (new or _concerns(request.auth, found)):
        raise Http404("There is no such run in this workspace.")
    member = request.auth.membership
    return shown(found, content=member is None or may_read_content(member))


def shown(found: Context, *, content: bool) -> dict[str, Any]:
    facts = [_values(each) | ({} if content else {"result": None}) for each in found.facts]
    return {
        "run": found.run,
        "status": found.status,
        "summary": found.text,
        "agents": [_values(each) for each in found.agents],
        "done": [_values(each) | ({} if content or each.by == "step" else {"what": None}) for each in found.done],
        "facts": facts,
        "in_hand": [claimed(row, found.as_of, granted=False) for row in found.in_hand],
        "requests": [_values(each) | ({} if content else {"what": None}) for each in found.requests],
        "policies": [_values(each) for each in found.policies],
        "holds": [_values(each) | ({} if content else {"question": None}) for each in found.holds],
        "handoffs": [told(row, content=content) for row in found.handoffs],
        "coordination": found.coordination,
        "as_of": found.as_of,
    }


def _values(line: Any) -> dict[str, Any]:
    return {name: getattr(line, name) for name in line.__slots__}


def _concerns(caller: Caller, found: Context) -> bool:
    bearer = caller.bearer
    if bearer is None or "read" in bearer.scopes or not bearer.agents:
        return True
    return any(bearer.speaks_for(name) for name in found.named)
