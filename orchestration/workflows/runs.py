"""Lists of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from orchestration.lib.money import Money, money
from orchestration.lib.paging import BadCursor, Page, from_cursor, to_cursor
from orchestration.registry import labels
from orchestration.workflows import run_search
from orchestration.workflows.models import Run, RunStatus, Trace, Workflow
from orchestration.workspaces.models import Workspace

IN_PROGRESS = "in_progress"
STATUSES = (*RunStatus.values, IN_PROGRESS)
_OPEN = (RunStatus.RUNNING, RunStatus.WAITING)
UNENDED = (*_OPEN, RunStatus.STALLED)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SORTS = {"started": "started_at", "took": "duration_ms", "steps": "spans", "errors": "errors"}


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs. `workflow` is a slug or name, `status` one of STATUSES, `agent` a slug, a name or `application/name`,
    `trace` a trace id or the beginning of one; `since` and `until` bound the start; `q` is words or an id."""

    workflow: str = ""
    status: str = ""
    agent: str = ""
    conversation: str = ""
    trace: str = ""
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""


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
    """Runs, newest start first. Names that fit nothing give an empty page; raises BadCursor."""
    wanted = Wanted(workflow, status, agent, conversation, trace, since, until, q)
    return listed(workspace_id, wanted, limit=limit, cursor=cursor)


def listed(
    workspace_id: int,
    wanted: Wanted,
    *,
    sort: str = "started",
    limit: int = 50,
    cursor: str | None = None,
    newer: bool = False,
) -> Page[RunLine]:
    """A page of the runs that fit, largest `sort` (see SORTS) first; with `newer` the page that ends before `cursor`.
    Raises BadCursor."""
    found = _fitting(workspace_id, wanted)
    if found is None:
        return Page([], None)
    column = SORTS[sort]
    if cursor:
        found = _beyond(found, column, cursor, newer=newer)
    sign = "" if newer else "-"
    rows = list(found.order_by(f"{sign}{column}", f"{sign}id")[: limit + 1])
    more, rows = len(rows) > limit, rows[:limit]
    if newer:
        rows.reverse()
    return Page(
        lines(workspace_id, rows),
        _cursor_of(rows[-1], column) if rows and (more or newer) else None,
        _cursor_of(rows[0], column) if rows and (more if newer else cursor) else None,
    )


def count(workspace_id: int, wanted: Wanted, most: int) -> int:
    """How many runs fit; counting ends at `most` + 1, which stands for more than `most`."""
    found = _fitting(workspace_id, wanted)
    return 0 if found is None else found.order_by()[: most + 1].count()


def _fitting(workspace_id: int, wanted: Wanted) -> QuerySet[Run] | None:
    """None where a text can fit nothing."""
    texts = (wanted.workflow, wanted.agent, wanted.conversation, wanted.trace)
    if any("\0" in text for text in texts):
        return None
    status = wanted.status
    parts = [
        wanted.workflow and run_search.of_workflow(workspace_id, wanted.workflow),
        status and Q(status__in=_OPEN if status == IN_PROGRESS else [status]),
        wanted.agent and run_search.with_agent(workspace_id, wanted.agent),
        wanted.conversation and Q(conversation=wanted.conversation),
        wanted.trace and run_search.of_trace(workspace_id, wanted.trace),
        wanted.since and Q(started_at__gte=wanted.since),
        wanted.until and Q(started_at__lt=wanted.until),
        wanted.q and run_search.saying(workspace_id, wanted.q),
    ]
    return Run.objects.filter(*(part for part in parts if part), workspace_id=workspace_id, merged_into=None)


def lines(workspace_id: int, rows: Sequence[Run]) -> list[RunLine]:
    """What is shown of these runs, in their order; the same few queries for any number of them."""
    currency = Workspace.objects.values_list("currency", flat=True).get(pk=workspace_id)
    workflows = Workflow.objects.filter(workspace_id=workspace_id).in_bulk({row.workflow_id for row in rows})
    traces: dict[UUID, list[str]] = {}
    mine = Trace.objects.filter(workspace_id=workspace_id, run_id__in=[row.id for row in rows])
    for run_id, trace_id in mine.order_by("started_at", "trace_id").values_list("run_id", "trace_id"):
        if run_id:
            traces.setdefault(run_id, []).append(bytes(trace_id).hex())
    agents = _agents_named(workspace_id, {i for row in rows for i in row.agents})
    return [_line(row, workflows.get(row.workflow_id), traces.get(row.id, []), agents, currency) for row in rows]


def _cursor_of(row: Run, column: str) -> str:
    value = getattr(row, column)
    return to_cursor([(value - _EPOCH) // timedelta(microseconds=1) if column == "started_at" else value, str(row.id)])


def _beyond(found: QuerySet[Run], column: str, cursor: str, *, newer: bool) -> QuerySet[Run]:
    """The rows after the cursor, or before it."""
    number, text = from_cursor(cursor, int, str)
    try:
        run_id = UUID(text)
        value = _EPOCH + timedelta(microseconds=number) if column == "started_at" else number
    except (OverflowError, ValueError) as error:
        raise BadCursor("cursor") from error
    if column != "started_at" and abs(number) >= 2**63:
        raise BadCursor("cursor")
    side, twin = ("gte", "id__lte") if newer else ("lte", "id__gte")
    return found.filter(**{f"{column}__{side}": value}).exclude(**{column: value, twin: run_id})


def _agents_named(workspace_id: int, ids: Iterable[int]) -> dict[int, RunAgent]:
    ids = list(ids)
    known = labels.agents(workspace_id, ids)
    applications = labels.applications(workspace_id, {known[i].application_id for i in ids if i in known})
    found = {}
    for i in ids:
        if label := known.get(i):
            application = applications.get(label.application_id)
            found[i] = RunAgent(label.slug, label.name, application.name if application else "")
    return found


def _line(
    row: Run, workflow: Workflow | None, traces: list[str], agents: Mapping[int, RunAgent], currency: str
) -> RunLine:
    known = [agents[i] for i in row.agents if i in agents]
    return RunLine(
        id=row.id,
        workflow=workflow.name if workflow else "",
        workflow_slug=workflow.slug if workflow else "",
        title=row.title,
        status=row.status,
        root_said_ok=row.root_said_ok,
        conversation=row.conversation,
        external_key=row.external_key,
        trace_ids=traces,
        started_at=row.started_at,
        ended_at=None if row.status in UNENDED else row.ended_at,
        last_at=row.ended_at,
        duration_ms=row.duration_ms,
        active_ms=row.active_ms,
        agents=[agent.name for agent in known],
        agent_list=known,
        spans=row.spans,
        errors=row.errors,
        retries=row.retries,
        tokens=Tokens(row.tokens_in, row.tokens_out),
        cost=money(row.cost, currency),
        tool_calls=row.tool_calls,
        tool_failures=row.tool_failures,
        handoffs=row.handoffs,
        escalations=row.escalations,
        guardrails=row.guardrail_hits,
        orphans=row.orphans,
        late=row.late,
    )


def titles(workspace_id: int, ids: Iterable[UUID]) -> dict[UUID, str]:
    """What runs are called, by id."""
    rows = Run.objects.filter(workspace_id=workspace_id, id__in=list(ids)).values_list("id", "title")
    return dict(rows)
