"""One run, told from its stored spans by the same fold that settles it, so that page, API and figures agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestration.lib.money import Money
from orchestration.workflows.runs import RunLine, Tokens


@dataclass(frozen=True, slots=True)
class StepLine:
    """A row of the waterfall. `id` is the span id in hex, `parent` that of the stored parent or None."""

    id: str
    trace_id: str
    parent: str | None
    depth: int
    orphan: bool  # its parent never came
    kind: str  # agent | llm | tool | retrieval | human | other
    detail: str  # the finer kind: workflow, guardrail, handoff, embedding …
    name: str
    subject: str  # tool of a tool call, model of an LLM call
    agent: str | None
    agent_slug: str | None
    system: str | None
    status: str  # ok | failed | running | interrupted (an exception that steers: a handoff, a pause)
    counted: bool  # a failure that counts; its ancestors repeat it
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    offset_ms: float  # since the run's start
    duration_ms: float | None
    tokens: Tokens | None
    cost: Money | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ToolCallLine:
    agent: str | None
    tool: str
    system: str | None
    ok: bool
    attempt: int
    at: datetime
    duration_ms: float
    error: str | None
    step: str  # id of its row


@dataclass(frozen=True, slots=True)
class HandoffLine:
    from_agent: str
    to_agent: str
    at: datetime
    rule: str
    step: str


@dataclass(frozen=True, slots=True)
class EscalationLine:
    agent: str | None
    question: str
    at: datetime
    state: str  # open | answered
    rule: str
    step: str


@dataclass(frozen=True, slots=True)
class GuardrailLine:
    agent: str | None
    guardrail: str
    at: datetime
    step: str


@dataclass(frozen=True, slots=True)
class Join:
    """Why a trace belongs to this run; `exact` when a producer said so, else it was inferred."""

    trace_id: str
    by: str
    exact: bool


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run alone. `steps` holds those asked for, in order of start; `step_count` is how many there are."""

    run: RunLine
    steps: list[StepLine]
    step_count: int
    steps_from: int
    tool_call_list: list[ToolCallLine]
    handoff_list: list[HandoffLine]
    escalation_list: list[EscalationLine]
    guardrail_hits: list[GuardrailLine]
    joins: list[Join]
    findings: list[str]


def run(
    workspace_id: int, id_or_trace_or_text: str, *, steps_from: int = 0, steps: int | None = 200
) -> RunDetail | None:
    """The run called so (see `find_run`), None when there is none. A merged one answers as the run that took it.

    Rows `steps_from` and following, at most `steps` of them (None: all).
    """
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SpanDetail:
    """One opened row. `attributes` as (key, text); prompts and results only for those who may read content."""

    step: StepLine
    attributes: list[tuple[str, str]]
    hidden: int  # attributes left out for want of the permission


def span(workspace_id: int, run_id: UUID, span_id: str, *, content: bool = False) -> SpanDetail | None:
    """A row of the run opened, by span id in hex."""
    raise NotImplementedError
