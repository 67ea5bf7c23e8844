"""Runs and workflows as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from ninja import Field, Query, Router, Schema
from pydantic import StringConstraints

from orchestration.api.auth import KeyAuth
from orchestration.api.figures import values
from orchestration.api.shapes import (
    Asked,
    Instant,
    MoneyOut,
    PageIn,
    SplitOut,
    Text,
    TokensOut,
    Window,
    WindowIn,
    WindowPageIn,
)
from orchestration.lib.paging import Page, cut, from_cursor, to_cursor
from orchestration.workflows import account, runs, stats

router = Router(auth=KeyAuth("read"), tags=["Runs"])
MOST_STEPS = 5000
TraceText = Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{0,32}$")]


class RunOut(Schema):
    id: UUID
    workflow: str
    title: str
    status: Literal["running", "waiting", "completed", "failed", "stalled", "cancelled"]
    root_said_ok: bool
    conversation: str | None
    external_key: str | None = Field(description="What the caller named it by")
    trace_ids: list[str]
    started_at: datetime
    ended_at: datetime | None
    last_at: datetime = Field(description="The greatest end seen so far")
    duration_ms: float
    active_ms: float
    agents: list[str]
    spans: int
    errors: int
    retries: int
    tokens: TokensOut
    cost: MoneyOut | None
    tool_calls: int
    tool_failures: int
    handoffs: int
    escalations: int
    guardrails: int
    orphans: int
    late: bool


class RunsOut(Schema):
    items: list[RunOut]
    next: str | None


class StepOut(Schema):
    id: str
    trace_id: str
    parent: str | None
    depth: int
    orphan: bool
    kind: Literal["agent", "llm", "tool", "retrieval", "human", "other"]
    detail: str
    name: str
    subject: str
    agent: str | None
    system: str | None
    status: Literal["ok", "failed", "running", "interrupted"]
    counted: bool = Field(description="A failure that counts; its ancestors only repeat it")
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    duration_ms: float | None
    tokens: TokensOut | None
    cost: MoneyOut | None
    error: str | None


class ToolCallOut(Schema):
    agent: str | None
    tool: str
    system: str | None
    ok: bool
    attempt: int
    at: datetime
    duration_ms: float
    error: str | None
    step: str


class RunHandoffOut(Schema):
    from_: str | None = Field(alias="from")
    to: str | None
    at: datetime
    rule: str
    step: str


class EscalationOut(Schema):
    agent: str | None
    question: str
    at: datetime
    state: str
    rule: str
    step: str


class GuardrailHitOut(Schema):
    agent: str | None
    guardrail: str
    at: datetime
    step: str


class JoinOut(Schema):
    trace_id: str
    by: str
    exact: bool


class RunAloneOut(RunOut):
    steps: list[StepOut]
    step_count: int
    next_steps: str | None = Field(description="`cursor` that goes on with the steps")
    tool_call_list: list[ToolCallOut]
    handoff_list: list[RunHandoffOut]
    escalation_list: list[EscalationOut]
    guardrail_hits: list[GuardrailHitOut]
    joins: list[JoinOut]
    findings: list[str]


class SharesOut(Schema):
    agents: float
    people: float
    waiting: float


class StepFigureOut(Schema):
    name: str
    owner: str
    started: int
    finished: int
    failed: int
    wait_p50_ms: float | None
    work_p50_ms: float | None
    wait_p95_ms: float | None
    work_p95_ms: float | None
    share_of_elapsed: float | None
    split: SplitOut


class WorkflowOut(Schema):
    id: str
    name: str
    runs: int
    in_progress: int
    waiting: int
    failed: int
    escalated: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    shares: SharesOut | None
    steps: list[StepFigureOut]


class WorkflowsOut(Schema):
    items: list[WorkflowOut]
    next: str | None


class WorkflowCourseOut(Schema):
    """24 equal parts of the window, oldest first."""

    ended: list[int]
    p50_ms: list[float | None]


class WorkflowAloneOut(WorkflowOut):
    points: WorkflowCourseOut


class RunsIn(PageIn):
    workflow: Text = Field("", description="Slug or name")
    status: Literal["", "running", "waiting", "completed", "failed", "stalled", "cancelled", "in_progress"] = ""
    agent: Text = Field("", description="Slug, name or application/name")
    conversation: Text = ""
    trace: TraceText = Field("", description="A trace id or the beginning of one")
    since: Instant | None = Field(None, description="Started at this time or later")
    until: Instant | None = Field(None, description="Started before this time")
    window: Window | None = Field(None, description="Started so far back from now or later: 1h to 30d")


class StepsIn(Schema):
    limit: int = Field(1000, ge=0, le=MOST_STEPS, description="Steps in the answer")
    cursor: Text = Field("", description="`next_steps` of the answer before")


@router.get("/runs", response=RunsOut, summary="Runs, newest start first")
def list_runs(request: Asked, wanted: Query[RunsIn]) -> Page[runs.RunLine]:
    chosen = {name: getattr(wanted, name) for name in ("workflow", "status", "agent", "conversation", "trace")}
    starts = [wanted.since, timezone.now() - wanted.window if wanted.window else None]
    return runs.runs(
        request.auth.workspace_id,
        **chosen,
        since=max(filter(None, starts), default=None),
        until=wanted.until,
        q=wanted.q,
        limit=wanted.limit,
        cursor=wanted.cursor or None,
    )


@router.get(
    "/runs/{run_id}", response=RunAloneOut, by_alias=True, summary="One run, by id, trace id or the caller's own text"
)
def get_run(request: Asked, run_id: Text, wanted: Query[StepsIn]) -> dict[str, Any]:
    """A run that was merged answers as the one that took it. The lists are whole, the steps come in pages."""
    start = max(0, from_cursor(wanted.cursor, int)[0]) if wanted.cursor else 0
    found = account.run(request.auth.workspace_id, run_id, steps_from=start, steps=wanted.limit)
    if found is None:
        raise Http404("There is no such run in this workspace.")
    end = start + len(found.steps)
    told = values(found) | values(found.run)
    told["next_steps"] = to_cursor([end]) if end < found.step_count else None
    told["handoff_list"] = [
        {
            "from": each.from_agent or None,
            "to": each.to_agent or None,
            "at": each.at,
            "rule": each.rule,
            "step": each.step,
        }
        for each in found.handoff_list
    ]
    return told


@router.get("/workflows", response=WorkflowsOut, summary="Workflows and how their runs went")
def list_workflows(request: Asked, wanted: Query[WindowPageIn]) -> Page[dict[str, Any]]:
    now = timezone.now()
    found = stats.workflows(request.auth.workspace_id, now - wanted.window, now, wanted.q)
    page = cut(found, wanted.limit, wanted.cursor)
    return Page([values(line) | {"id": line.slug} for line in page.items], page.next)


@router.get("/workflows/{workflow_id}", response=WorkflowAloneOut, summary="One workflow, by slug or name")
def get_workflow(request: Asked, workflow_id: Text, wanted: Query[WindowIn]) -> dict[str, Any]:
    now = timezone.now()
    found = stats.workflow(request.auth.workspace_id, workflow_id, now - wanted.window, now)
    if found is None:
        raise Http404("There is no such workflow in this workspace.")
    points = {"ended": found.ended, "p50_ms": found.points}
    return values(found.line) | {"id": found.line.slug, "points": points}
