"""The lines of which the account of a run is made: its steps, calls, handoffs, questions and checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestration.lib.money import Money
from orchestration.workflows.runs import Tokens


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
    folded: int = 0  # steps below it that are not shown
    repeats: bool = False  # another agent had made this call before it, or made it again


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
class SpanDetail:
    """One opened row. `attributes` as (key, text); prompts and results only for those who may read content."""

    step: StepLine
    attributes: list[tuple[str, str]]
    hidden: int  # attributes left out for want of the permission
