"""What the pages show of agents, systems and the whole, as JSON: computed by the same functions."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from ninja import Query, Router, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.shapes import Asked, MoneyOut, SplitOut, Text, TokensOut, WindowIn, WindowPageIn
from orchestration.control import fleet, systems
from orchestration.control.attention import NeedKind, attention
from orchestration.control.human_load import human_load
from orchestration.control.overview import overview
from orchestration.control.states import signs_of
from orchestration.lib.paging import Page, cut

router = Router(auth=KeyAuth("read"), tags=["Figures"])
Interval = tuple[float, float]
State = Literal["working", "waiting", "idle", "held", "silent", "quarantined"]


class StatesOut(Schema):
    working: int
    waiting: int
    idle: int
    held: int
    silent: int
    quarantined: int


class BottleneckOut(Schema):
    workflow: str
    slug: str
    step: str
    owner: str
    wait_p95_ms: float | None
    work_p95_ms: float | None
    share_of_elapsed: float
    split: SplitOut


class FailingAgentOut(Schema):
    agent: str
    slug: str
    application: str
    failures: int
    calls: int
    failure_rate: float
    interval: Interval


class DurationsOut(Schema):
    workflow: str
    slug: str
    runs: int
    failed: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None


class HoldFiguresOut(Schema):
    open: int
    per_100_runs: float | None


class SpanFlowOut(Schema):
    accepted: int
    digested: int
    backlog: int
    lag_ms: float | None


class PointsOut(Schema):
    """24 equal parts of the window, oldest first."""

    agents: list[int]
    in_progress: list[float]
    ended: list[int]
    wait_ms: list[float | None]
    failure_rate: list[float | None]
    p50_ms: list[float | None]


class SlowerOut(Schema):
    """A workflow whose p90 has at least doubled."""

    workflow: str
    slug: str
    p90_ms: float
    before_ms: float


class BeforeOut(Schema):
    """The same time a day earlier; of a window of more than a day, the one before. Null until data goes back so far."""

    runs: int
    failed: int
    p50_ms: float | None
    p90_ms: float | None
    failures: int | None
    calls: int | None
    failure_rate: float | None
    slower: list[SlowerOut]


class NeedOut(Schema):
    """Something that needs a person; dearest first, by `held_up`: runs or calls that an hour more of it costs."""

    kind: NeedKind
    subject: str
    slug: str
    count: int
    of: int
    agents: int
    since: datetime | None
    held_up: int
    detail: str


class LoadDayOut(Schema):
    """What people were asked on a day of the workspace: questions that came on it, or, before the first one that is
    known here, runs that ended on it and had asked a person. `changed`: those in which the reviewer did not approve
    what was proposed as it was; `unchanged`: approved as it was; the rest has no verdict. `ended`: runs."""

    day: date
    asked: int
    ended: int
    changed: int
    unchanged: int


class CapacityOut(Schema):
    """What reviewers can bear: minutes a day of all of them (mean of a week), and the median seconds of a case in
    `measured` cases. `a_day`: cases a day, null below 30 measured ones."""

    people: int
    minutes_a_day: float
    case_seconds: float | None
    measured: int
    a_day: float | None


class OverrunOut(Schema):
    """When what is asked a day will exceed capacity, by the trend of the last thirty days. `state`: `over` already,
    `ahead`, `none` within half a year, `unknown` (fewer than 14 days, or no capacity). `earliest` and `latest` are the
    ends of a 95 % interval; null: not within half a year."""

    state: Literal["over", "ahead", "none", "unknown"]
    day: date | None
    earliest: date | None
    latest: date | None


class PublishedOut(Schema):
    day: date
    policy: str
    slug: str
    version: int


class AloneOut(Schema):
    """Runs of a workflow that ended in the last thirty days, and how many of them asked no person. `share` and its 95 %
    `interval` are null below 30 runs. `target`: what an admin wants, null where nobody said. `state`: `met` or `missed`
    where the whole interval lies there, `open` where it may be either, `few` runs, `none` without a target."""

    workflow: str
    slug: str
    runs: int
    alone: int
    share: float | None
    interval: Interval | None
    target: float | None
    state: Literal["none", "few", "met", "missed", "open"]


class LoadOut(Schema):
    """The thirty days of `human_load` as a whole. `over_a_day`: by how much the mean of the last three finished days
    exceeds capacity (below 0: room left); `over_days`: finished days in a row above it, said in the finding from 3 on.
    `growth`: of the last seven finished days against the seven four weeks before; `grew`: by more than a fifth and
    more than chance."""

    answered: int
    changed: int
    unchanged: int
    unchanged_share: float | None
    unchanged_interval: Interval | None
    capacity: CapacityOut | None
    over_a_day: float | None
    over_days: int
    overrun: OverrunOut
    growth: float | None
    grew: bool
    published: list[PublishedOut]
    alone: list[AloneOut]


class OverviewOut(Schema):
    window: str
    as_of: datetime
    active_agents: int
    agents: StatesOut
    runs_in_progress: int
    bottlenecks: list[BottleneckOut]
    failing_agents: list[FailingAgentOut]
    durations: list[DurationsOut]
    holds: HoldFiguresOut
    spans: SpanFlowOut
    runs_waiting: int
    runs_ended: DurationsOut
    points: PointsOut
    before: BeforeOut | None
    attention: list[NeedOut]
    human_load: list[LoadDayOut]
    load: LoadOut


class CurrentOut(Schema):
    run: UUID
    step: str
    since: datetime | None


class SystemUseOut(Schema):
    slug: str
    system: str
    kind: str
    calls: int
    failures: int
    interval: Interval | None
    p95_ms: float | None


class AgentOut(Schema):
    id: str
    name: str
    application: str
    environment: str
    kind: str
    state: State
    current: CurrentOut | None
    last_seen: datetime | None
    version: str
    runs: int
    calls: int
    failures: int
    failure_rate: float | None
    interval: Interval | None
    spans: int
    errors: int
    tokens: TokensOut
    cost: MoneyOut | None
    p50_ms: float | None
    p95_ms: float | None
    systems: list[SystemUseOut]


class AgentsOut(Schema):
    items: list[AgentOut]
    next: str | None


class KindUseOut(Schema):
    kind: str
    calls: int
    failures: int
    interval: Interval | None
    p50_ms: float | None
    p95_ms: float | None


class CoursesOut(Schema):
    """24 equal parts of the window, oldest first."""

    calls: list[int]
    failures: list[int]


class AgentAloneOut(AgentOut):
    kinds: list[KindUseOut]
    points: CoursesOut


class SystemOut(Schema):
    id: str
    name: str
    kind: str
    provider: str
    calls: int
    failures: int
    failure_rate: float | None
    interval: Interval | None
    tokens: TokensOut
    cost: MoneyOut | None
    p50_ms: float | None
    p95_ms: float | None
    agents: int


class SystemsOut(Schema):
    items: list[SystemOut]
    next: str | None


class SystemUserOut(Schema):
    slug: str
    agent: str
    application: str
    calls: int
    failures: int
    interval: Interval | None


class SystemAloneOut(SystemOut):
    users: list[SystemUserOut]
    points: CoursesOut


class AgentsIn(WindowPageIn):
    state: Literal["", "working", "waiting", "idle", "held", "silent", "quarantined"] = ""
    sort: Literal["", "name", "state", "last_seen", "calls", "failures", "failure_rate", "cost", "p95_ms"] = ""


class SystemsIn(WindowPageIn):
    kind: Literal["", "system", "model"] = ""
    sort: Literal["", "name", "calls", "failures", "failure_rate", "p95_ms"] = ""


@router.get("/overview", response=OverviewOut, summary="The five answers")
def get_overview(request: Asked, wanted: Query[WindowIn]) -> dict[str, Any]:
    """Who is at work, what is in progress, where time goes, who fails, how long runs take; what needs somebody now,
    and what was asked of people in the last thirty days."""
    place, now = request.auth.workspace_id, timezone.now()
    load = human_load(place, now)
    signs = signs_of(place)
    return values(overview(place, wanted.window, now, signs)) | {
        "attention": attention(place, now, signs),
        "human_load": load.days,
        "load": load,
    }


@router.get("/agents", response=AgentsOut, summary="Agents and what they did in a window")
def list_agents(request: Asked, wanted: Query[AgentsIn]) -> Page[fleet.AgentLine]:
    found = fleet.agents(request.auth.workspace_id, wanted.window, timezone.now(), wanted.q, wanted.state, wanted.sort)
    return cut(found, wanted.limit, wanted.cursor)


@router.get("/agents/{path:agent_id}", response=AgentAloneOut, summary="One agent, by slug or application/name")
def get_agent(request: Asked, agent_id: Text, wanted: Query[WindowIn]) -> dict[str, Any]:
    found = fleet.agent(request.auth.workspace_id, agent_id, wanted.window, timezone.now())
    if found is None:
        raise Http404("There is no such agent in this workspace.")
    return values(found.agent) | {
        "kinds": found.kinds,
        "points": {"calls": found.calls, "failures": found.failures},
    }


@router.get("/systems", response=SystemsOut, summary="What agents act upon: systems and models")
def list_systems(request: Asked, wanted: Query[SystemsIn]) -> Page[systems.SystemLine]:
    found = systems.systems(
        request.auth.workspace_id, wanted.window, timezone.now(), wanted.q, wanted.kind, wanted.sort
    )
    return cut(found, wanted.limit, wanted.cursor)


@router.get("/systems/{system_id}", response=SystemAloneOut, summary="One system or model, by slug or name")
def get_system(request: Asked, system_id: Text, wanted: Query[WindowIn]) -> dict[str, Any]:
    found = systems.system(request.auth.workspace_id, system_id, wanted.window, timezone.now())
    if found is None:
        raise Http404("There is no such system in this workspace.")
    return values(found.system) | {
        "users": found.users,
        "points": {"calls": found.calls, "failures": found.failures},
    }


def values(line: Any) -> dict[str, Any]:
    """The fields of a dataclass as they are, to be joined with what is told of it alone."""
    return {field.name: getattr(line, field.name) for field in fields(line)}
