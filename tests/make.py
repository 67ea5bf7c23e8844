"""Small functions that make rows: what a test needs to exist, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.text import slugify
from uuid_utils.compat import uuid7

from orchestration.lib.names import normal
from orchestration.policies import lifecycle
from orchestration.policies.models import Policy
from orchestration.registry.models import Agent, Application, System, SystemKind
from orchestration.telemetry import retention, rollups
from orchestration.telemetry.liveness import PLACES
from orchestration.telemetry.models import Pulse, Span
from orchestration.telemetry.rollups import MINUTE_US, SPANS, Tally, observation
from orchestration.telemetry.spans import Kind, Outcome
from orchestration.workflows.booking import WORKFLOWS
from orchestration.workflows.models import Measure, Run, StepName, Trace, Workflow
from orchestration.workspaces.models import User, Workspace

T = TypeVar("T", bound=Model)


def found(rows: QuerySet[T], **new: Any) -> T:
    """The first of them, or one made. Nobody else makes one meanwhile, for which Django would set two savepoints."""
    return rows.first() or rows.model.objects.create(**new)  # type: ignore[attr-defined]


def workspace(slug: str = "default") -> Workspace:
    return found(Workspace.objects.filter(slug=slug), slug=slug, name=slug.title())


def agent(space: Workspace, name: str = "refund", application: str = "desk", environment: str = "") -> Agent:
    place = {"workspace": space, "name": application, "environment": environment}
    whose = {
        "workspace": space,
        "application": found(Application.objects.filter(**place), **place),
        "key": normal(name),
    }
    slug = slugify(f"{application} {name} {environment}")
    return found(Agent.objects.filter(**whose), **whose, name=name, slug=slug)


def system(space: Workspace, name: str = "payments", kind: str = SystemKind.SYSTEM) -> System:
    what = {"workspace": space, "kind": kind, "key": normal(name)}
    return found(System.objects.filter(**what), **what, name=name, slug=slugify(name))


def workflow(space: Workspace, name: str = "Refund") -> Workflow:
    return found(Workflow.objects.filter(workspace=space, name=name), workspace=space, name=name, slug=slugify(name))


def calls(
    space: Workspace,
    who: Agent | None = None,
    *,
    n: int = 1,
    failures: int = 0,
    on: System | None = None,
    kind: Kind = Kind.TOOL,
    at: datetime | None = None,
    ms: float = 100,
    tokens: tuple[int, int] = (0, 0),
    cost: int = 0,
    into: Tally | None = None,
) -> None:
    """Figures of `n` spans that began in the minute of `at` (now), `failures` of them in error. They are booked at
    once, or by who gave what to count them `into`."""
    tally = Tally(SPANS) if into is None else into
    key = (_minute(at), who.application_id if who else 0, who.pk if who else 0, on.pk if on else 0, int(kind))
    for place in range(n):
        first = place == 0
        sums = (1, place < failures, tokens[0] * first, tokens[1] * first, cost * first, round(ms))
        tally.absorb([observation(key, sums, round(ms * 1000))])
    if into is None:
        rollups.book(space.pk, tally)


def ended(
    flow: Workflow,
    *durations_ms: float,
    failed: int = 0,
    asked: int = 0,
    at: datetime | None = None,
    people_ms: float = 0,
    waiting_ms: float = 0,
) -> None:
    """Figures of runs that ended in the minute of `at` (now), one for each duration."""
    tally = Tally(WORKFLOWS)
    minute = _minute(at)

    def observe(measure: Measure, n: int, failures: int, ms: float) -> None:
        tally.absorb([observation((minute, flow.pk, 0, int(measure)), (n, failures, round(ms)), round(ms * 1000))])

    for place, ms in enumerate(durations_ms):
        observe(Measure.DURATION, 1, int(place < failed), ms)
        observe(Measure.AGENTS, 1, 0, ms - people_ms - waiting_ms)
        observe(Measure.PEOPLE, 1, 0, people_ms)
        observe(Measure.WAITING, 1, 0, waiting_ms)
        if place < asked:
            tally.absorb([observation((minute, flow.pk, 0, int(Measure.ESCALATED)), (1, 0, 1), None)])
    rollups.book(flow.workspace_id, tally)


def stepped(
    flow: Workflow,
    name: str,
    owner: str,
    *,
    n: int = 1,
    failed: int = 0,
    work_ms: float = 0,
    wait_ms: float = 0,
    at: datetime | None = None,
) -> StepName:
    """Figures of one kind of step in runs that ended in the minute of `at` (now)."""
    which = {"workspace": flow.workspace, "workflow": flow, "name": name, "owner": owner}
    step = found(StepName.objects.filter(**which), **which)
    tally = Tally(WORKFLOWS)
    for measure, ms in ((Measure.WORK, work_ms), *([(Measure.WAIT, wait_ms)] if wait_ms else [])):
        key = (_minute(at), flow.pk, step.pk, int(measure))
        tally.absorb([observation(key, (n, failed, round(ms)), round(ms * 1000))])
    rollups.book(flow.workspace_id, tally)
    return step


def run(
    space: Workspace,
    flow: Workflow | None = None,
    *,
    started_at: datetime | None = None,
    traces: Sequence[bytes] | None = None,
    save: bool = True,
    **fields: Any,
) -> Run:
    """A run that completed within a second, with one trace, unless told otherwise. Not to `save` it is for those that
    are created together, without traces."""
    started_at = started_at or timezone.now() - timedelta(minutes=1)
    values: dict[str, Any] = {
        "id": uuid7(),
        "workflow_id": (flow or workflow(space)).pk,
        "title": "Refund of order A-1001",
        "status": "completed",
        "root_said_ok": True,
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=1),
        "heard_at": started_at + timedelta(seconds=1),
        "duration_ms": 1000,
        "active_ms": 1000,
        "agents": [],
        "revision": 1,
    } | fields
    counts = "spans errors retries tokens_in tokens_out tool_calls tool_failures handoffs escalations guardrail_hits"
    for name in (*counts.split(), "orphans", "twins"):
        values.setdefault(name, 0)
    made = Run(workspace=space, **values)
    if not save:
        return made
    made.save(force_insert=True)
    for trace_id in [secrets.token_bytes(16)] if traces is None else traces:
        trace(space, trace_id, made.id, values["started_at"], values["ended_at"])
    return made


def trace(space: Workspace, trace_id: bytes, run_id: UUID | None, started_at: datetime, ended_at: datetime) -> Trace:
    return Trace.objects.create(
        workspace=space,
        trace_id=trace_id,
        run_id=run_id,
        started_at=started_at,
        ended_at=ended_at,
        received_at=ended_at,
        spans=1,
        root_came=True,
    )


def pulse(
    who: Agent,
    heard_at: datetime,
    *,
    trace_id: bytes | None = None,
    step: str = "a step",
    step_at: datetime | None = None,
    gaps: Sequence[int] = (),
) -> Pulse:
    return Pulse.objects.create(
        workspace_id=who.workspace_id,
        agent_id=who.pk,
        heard_at=heard_at,
        trace_id=trace_id,
        step=step,
        step_at=step_at or heard_at,
        gaps=[*gaps, *[0] * (PLACES - len(gaps))],
    )


@dataclass(frozen=True, slots=True)
class Made:
    """A span to be stored; `parent` is another one of the same trace."""

    name: str
    kind: Kind = Kind.STEP
    who: Agent | None = None
    on: System | None = None
    parent: Made | None = None
    at_ms: int = 0  # since the trace began
    ms: int = 100
    outcome: Outcome = Outcome.OK
    values: dict[str, Any] = field(default_factory=dict)
    id: bytes = field(default_factory=lambda: secrets.token_bytes(8))


def spans(space: Workspace, trace_id: bytes, began_at: datetime, *made: Made) -> None:
    """Stored spans of one trace, as the digest leaves them."""
    day = began_at.date()
    retention.ensure_partitions(day, day + timedelta(days=1))
    Span.objects.bulk_create([_span(space, trace_id, began_at, each) for each in made])


def _span(space: Workspace, trace_id: bytes, began_at: datetime, made: Made) -> Span:
    started_at = began_at + timedelta(milliseconds=made.at_ms)
    values: dict[str, Any] = {
        "subject": made.name if made.kind in (Kind.TOOL, Kind.LLM) else "",
        "tokens_in": 0,
        "tokens_out": 0,
        "attrs": {"a": {}, "k": 1, "s": "test"},
        "claimed": False,
    } | made.values
    return Span(
        workspace=space,
        started_at=started_at,
        trace_id=trace_id,
        span_id=made.id,
        parent_id=made.parent.id if made.parent else None,
        ended_at=started_at + timedelta(milliseconds=made.ms),
        application_id=made.who.application_id if made.who else 0,
        agent_id=made.who.pk if made.who else 0,
        system_id=made.on.pk if made.on else 0,
        kind=int(made.kind),
        outcome=int(made.outcome),
        name=made.name,
        **values,
    )


def _minute(at: datetime | None) -> int:
    return int((at or timezone.now()).timestamp() * 1_000_000) // MINUTE_US * MINUTE_US


def policy(space: Workspace, name: str = "Refund limit") -> Policy:
    """A policy of which nothing is live yet."""
    who = {"username": f"author-{space.slug}"}
    author = found(User.objects.filter(**who), **who)
    body = {"condition": "action.amount <= 500", "then": {"kind": "allow"}, "otherwise": {"kind": "hold"}}
    return lifecycle.create(space, name, author, body).policy
