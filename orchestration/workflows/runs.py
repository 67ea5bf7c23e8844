"""Lists of runs, and finding one by whatever it was called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestration.lib.money import Money
from orchestration.lib.paging import Page


@dataclass(frozen=True, slots=True)
class Tokens:
    input: int
    output: int


@dataclass(frozen=True, slots=True)
class RunAgent:
    slug: str
    name: str
    application: str


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run: the shape `Run` of the API, and what a row of the list shows besides."""

    id: UUID
    workflow: str
    workflow_slug: str
    title: str
    status: str
    root_said_ok: bool
    conversation: str | None
    external_key: str | None
    trace_ids: list[str]
    started_at: datetime
    ended_at: datetime | None  # None while running, waiting or stalled
    last_at: datetime  # greatest end seen so far
    duration_ms: int
    active_ms: int
    agents: list[str]
    agent_list: list[RunAgent]
    spans: int
    errors: int
    retries: int
    tokens: Tokens
    cost: Money | None
    tool_calls: int
    tool_failures: int
    handoffs: int
    escalations: int
    guardrails: int
    orphans: int
    late: bool


def runs(
    workspace_id: int,
    *,
    workflow: str = "",
    status: str = "",
    agent: str = "",
    conversation: str = "",
    trace: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    q: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page[RunLine]:
    """Runs, newest start first. Names that fit nothing give an empty page; raises BadCursor.

    `workflow` is a slug or name, `status` one of RunStatus or `in_progress`, `agent` a slug, a name or
    `application/name`, `trace` a trace id or the beginning of one; `since` and `until` bound the start.
    """
    raise NotImplementedError


def find_run(workspace_id: int, text: str) -> UUID | None:
    """The id of the run that is called `text`: its own id, that of a run it has taken in, a trace id, or the caller's
    own text. Differs from `text` when the run was merged: pages redirect then."""
    raise NotImplementedError
