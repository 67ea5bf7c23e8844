"""Who is at work: agents, what state they are in, and what they did in a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from orchestration.control import usage
from orchestration.control.states import NO_SIGNS, Current, Signs, signs_of, state_of
from orchestration.control.usage import CALLS, NONE, Interval, Use
from orchestration.lib.money import Money, money
from orchestration.registry.models import Agent, System
from orchestration.telemetry.spans import Kind
from orchestration.telemetry.sums import Stretch
from orchestration.workflows.runs import Tokens
from orchestration.workspaces.models import Workspace

AGENT_SORTS = ("name", "state", "last_seen", "calls", "failures", "failure_rate", "cost", "p90_ms", "p95_ms")


@dataclass(frozen=True, slots=True)
class SystemUse:
    """An agent's calls of one system. `kind` tells a language model from any other system."""

    slug: str
    system: str
    kind: str  # system | model
    calls: int
    failures: int
    interval: Interval | None
    p95_ms: float | None  # only where the agent is asked for alone


@dataclass(frozen=True, slots=True)
class AgentLine:
    """One agent: the shape `Agent` of the API (its `id` is the slug)."""

    id: str
    name: str
    application: str
    environment: str
    kind: str
    state: str
    current: Current | None
    last_seen: datetime | None
    version: str
    runs: int
    calls: int
    failures: int
    failure_rate: float | None
    interval: Interval | None
    spans: int
    errors: int
    tokens: Tokens
    cost: Money | None
    p50_ms: float | None  # of the agent's turns; of its calls where it has no turns
    p95_ms: float | None
    systems: list[SystemUse]
    p90_ms: float | None = None
    row: int = 0  # id of the agent's row, by which figures are kept


@dataclass(frozen=True, slots=True)
class KindUse:
    """An agent's calls of one kind: llm, tool, retrieval, embedding."""

    kind: str
    calls: int
    failures: int
    interval: Interval | None
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class AgentDetail:
    agent: AgentLine
    kinds: list[KindUse]
    calls: list[int]  # 24 points over the window
    failures: list[int]


@dataclass(frozen=True, slots=True)
class _Read:
    """What the figures say, by agent: of each kind of span, and of each system."""

    kinds: Mapping[int, Mapping[int, Use]]
    systems: Mapping[int, Mapping[int, Use]]
    spread: Mapping[int, Use]
    labels: Mapping[int, System]
    currency: str


def agents(
    workspace_id: int, window: timedelta, now: datetime, q: str = "", state: str = "", sort: str = ""
) -> list[AgentLine]:
    """All agents that fit. `sort` is one of AGENT_SORTS ("" is by name), figures largest first;
    `failure_rate` by the lower bound of its interval."""
    signs = signs_of(workspace_id)
    rows = [row for row in _matching(workspace_id, q) if not signs.get(row.id, NO_SIGNS).process]
    states = {row.id: state_of(signs.get(row.id, NO_SIGNS), now) for row in rows}
    read = _read(workspace_id, now - window, now)
    lines = [
        _line(row, states[row.id], signs.get(row.id, NO_SIGNS), read)
        for row in rows
        if not state or states[row.id] == state
    ]
    return sorted(lines, key=_ORDERS[sort or "name"])


def agent(workspace_id: int, slug: str, window: timedelta, now: datetime) -> AgentDetail | None:
    """One agent by slug, else by `application/name` or a name that only one has; None when there is none."""
    row = agent_called(workspace_id, slug)
    if row is None:
        return None
    signs = signs_of(workspace_id).get(row.id, NO_SIGNS)
    read = _read(workspace_id, now - window, now, row.id)
    courses = usage.courses(workspace_id, (now - window, now), "agent_id = %s", [row.id])
    course = courses.get(row.id, usage.STILL)
    kinds = [(kind, read.kinds.get(row.id, {}).get(kind, NONE)) for kind in CALLS]
    return AgentDetail(
        agent=_line(row, state_of(signs, now), signs, read),
        kinds=[_kind(kind, use) for kind, use in kinds if use.n],
        calls=course.calls,
        failures=course.failures,
    )


def agent_called(workspace_id: int, text: str) -> Agent | None:
    """The agent that has this slug, else `application/name`, else this name where only one has it."""
    found = Agent.objects.filter(workspace_id=workspace_id).select_related("application")
    if "\0" in text:
        return None
    by_slug = found.filter(slug=text).first()
    if by_slug:
        return by_slug
    application, slash, name = text.rpartition("/")
    same = found.filter(application__name=application, name=name) if slash else found.filter(name=text)
    rows = list(same[:2])
    return rows[0] if len(rows) == 1 else None


def _matching(workspace_id: int, q: str) -> QuerySet[Agent]:
    found = Agent.objects.filter(workspace_id=workspace_id).select_related("application")
    q = q.replace("\0", "")
    if not q:
        return found
    return found.filter(name__icontains=q) | found.filter(application__name__icontains=q)


def _read(workspace_id: int, since: datetime, until: datetime, only: int | None = None) -> _Read:
    """The figures of all agents, or of one with the histograms of its systems. One pass for the sums; histograms, which
    cost most, are summed for turns, and for calls only of agents that have no turns."""
    rows = usage.rows_between(workspace_id, since, until)
    who, params = ("agent_id > 0", []) if only is None else ("agent_id = %s", [only])
    uses = usage.by(rows, ("agent_id", "kind", "system_id"), who, params, spread=only is not None)
    kinds = _nested(uses, 1)
    used = _nested({key: use for key, use in uses.items() if key[1] in CALLS and key[2]}, 2)
    return _Read(
        kinds,
        used,
        _spread(rows, kinds) if only is None else {},
        System.objects.filter(workspace_id=workspace_id).in_bulk({system for each in used.values() for system in each}),
        Workspace.objects.values_list("currency", flat=True).get(pk=workspace_id),
    )


def _spread(rows: Stretch, kinds: Mapping[int, Mapping[int, Use]]) -> dict[int, Use]:
    """By agent, how its turns are spread; its calls where it has no turns."""
    turns = usage.by(rows, ("agent_id",), f"agent_id > 0 and kind = {int(Kind.AGENT)}", spread=True)
    found = {key[0]: use for key, use in turns.items() if any(use.counts)}
    others = [agent_id for agent_id in kinds if agent_id not in found]
    if others:
        calls = usage.by(rows, ("agent_id",), f"{usage.IS_CALL} and agent_id = any(%s)", [others], spread=True)
        found.update({key[0]: use for key, use in calls.items()})
    return found


def _nested(uses: Mapping[tuple[int, ...], Use], place: int) -> dict[int, dict[int, Use]]:
    """By agent, and then by what stands at `place` of the key; the rest is added up."""
    parts: dict[int, dict[int, list[Use]]] = {}
    for key, use in uses.items():
        parts.setdefault(key[0], {}).setdefault(key[place], []).append(use)
    return {who: {other: usage.total(found) for other, found in each.items()} for who, each in parts.items()}


def _line(row: Agent, state: str, signs: Signs, read: _Read) -> AgentLine:
    kinds = read.kinds.get(row.id, {})
    calls = usage.total(kinds[kind] for kind in CALLS if kind in kinds)
    every = usage.total(use for kind, use in kinds.items() if kind < Kind.RUN)
    turns = kinds.get(Kind.AGENT, NONE)
    timed = read.spread.get(row.id) or (turns if any(turns.counts) else calls)
    return AgentLine(
        id=row.slug,
        name=row.name,
        application=row.application.name,
        environment=row.application.environment,
        kind=row.kind,
        state=state,
        current=signs.current,
        last_seen=signs.heard_at,
        version=row.version,
        runs=kinds.get(Kind.RUN, NONE).n,
        calls=calls.n,
        failures=calls.failures,
        failure_rate=calls.rate,
        interval=calls.interval,
        spans=every.n,
        errors=every.failures,
        tokens=Tokens(every.tokens_in, every.tokens_out),
        cost=money(every.cost, read.currency),
        p50_ms=timed.percentile(0.5),
        p95_ms=timed.percentile(0.95),
        systems=_systems(read.systems.get(row.id, {}), read.labels),
        p90_ms=timed.percentile(0.9),
        row=row.id,
    )


def _systems(uses: Mapping[int, Use], labels: Mapping[int, System]) -> list[SystemUse]:
    known = [(labels[i], use) for i, use in uses.items() if i in labels and use.n]
    lines = [
        SystemUse(row.slug, row.name, row.kind, use.n, use.failures, use.interval, use.percentile(0.95))
        for row, use in known
    ]
    return sorted(lines, key=lambda line: (-line.calls, line.system))


def _kind(kind: Kind, use: Use) -> KindUse:
    return KindUse(kind.name.lower(), use.n, use.failures, use.interval, use.percentile(0.5), use.percentile(0.95))


def _largest(value: Callable[[AgentLine], Any]) -> Callable[[AgentLine], tuple[Any, ...]]:
    """Largest first, unknown last, then by name."""

    def key(line: AgentLine) -> tuple[Any, ...]:
        found = value(line)
        return (found is None, -found if found is not None else 0, line.name.casefold(), line.id)

    return key


_WORST = ("quarantined", "silent", "held", "waiting", "working", "idle")
_ORDERS: Mapping[str, Callable[[AgentLine], tuple[Any, ...]]] = {
    "name": lambda line: (line.name.casefold(), line.id),
    "state": lambda line: (_WORST.index(line.state), line.name.casefold(), line.id),
    "last_seen": _largest(lambda line: line.last_seen and line.last_seen.timestamp()),
    "calls": _largest(lambda line: line.calls),
    "failures": _largest(lambda line: line.failures),
    "failure_rate": _largest(lambda line: line.interval and line.interval[0]),
    "cost": _largest(lambda line: line.cost and line.cost.amount),
    "p90_ms": _largest(lambda line: line.p90_ms),
    "p95_ms": _largest(lambda line: line.p95_ms),
}
