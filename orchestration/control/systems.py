"""What agents act upon: systems and language models, and how often they fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestration.control import usage
from orchestration.control.usage import Interval, Use
from orchestration.lib.money import Money, money
from orchestration.registry.models import Agent, System
from orchestration.workflows.runs import Tokens
from orchestration.workspaces.models import Workspace

ALWAYS = timedelta(days=800)  # what was not called for so long is not listed
SYSTEM_SORTS = ("name", "calls", "failures", "failure_rate", "p95_ms")


@dataclass(frozen=True, slots=True)
class SystemUser:
    """One agent's calls of a system; slug and name are "" for calls outside any agent."""

    slug: str
    agent: str
    application: str
    calls: int
    failures: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class SystemLine:
    id: str
    name: str
    kind: str  # system | model
    provider: str
    calls: int
    failures: int
    failure_rate: float | None
    interval: Interval | None
    tokens: Tokens
    cost: Money | None
    p50_ms: float | None
    p95_ms: float | None
    agents: int


@dataclass(frozen=True, slots=True)
class SystemDetail:
    system: SystemLine
    users: list[SystemUser]
    calls: list[int]  # 24 points over the window
    failures: list[int]


def systems(
    workspace_id: int, window: timedelta, now: datetime, q: str = "", kind: str = "", sort: str = ""
) -> list[SystemLine]:
    """All systems and models that fit (`kind`: system | model | "") and that were ever called. `sort` is one of
    SYSTEM_SORTS, as for agents."""
    found = System.objects.filter(workspace_id=workspace_id)
    if q := q.replace("\0", ""):
        found = found.filter(name__icontains=q)
    if kind:
        found = found.filter(kind=kind)
    rows = usage.rows_between(workspace_id, now - window, now)
    uses: dict[int, dict[int, Use]] = {}
    for key, use in usage.by(
        rows, ("system_id", "agent_id"), f"{usage.IS_CALL} and system_id > 0", spread=True
    ).items():
        uses.setdefault(key[0], {})[key[1]] = use
    currency = _currency(workspace_id)
    lines = {row.id: _line(row, uses.get(row.id, {}), currency) for row in found}
    called = _called(workspace_id, [i for i, line in lines.items() if not line.calls], now)
    shown = [line for i, line in lines.items() if line.calls or i in called]
    return sorted(shown, key=_ORDERS[sort or "name"])


def _called(workspace_id: int, idle: Sequence[int], now: datetime) -> set[int]:
    """Which of these were called before. The others are names of tools whose system a step below them told later."""
    if not idle:
        return set()
    rows = usage.rows_between(workspace_id, now - ALWAYS, now)
    uses = usage.by(rows, ("system_id",), f"{usage.IS_CALL} and system_id = any(%s)", [list(idle)])
    return {key[0] for key, use in uses.items() if use.n}


def system(workspace_id: int, slug: str, window: timedelta, now: datetime) -> SystemDetail | None:
    """One system or model by slug, else by name; None when there is none."""
    if "\0" in slug:
        return None
    found = System.objects.filter(workspace_id=workspace_id)
    row = found.filter(slug=slug).first() or found.filter(name=slug).order_by("-kind").first()
    if row is None:
        return None
    rows = usage.rows_between(workspace_id, now - window, now)
    here = f"{usage.IS_CALL} and system_id = %s"
    uses = {key[0]: use for key, use in usage.by(rows, ("agent_id",), here, [row.id], spread=True).items()}
    courses = usage.courses(workspace_id, (now - window, now), here, [row.id]).values()
    return SystemDetail(
        _line(row, uses, _currency(workspace_id)),
        _users(workspace_id, uses),
        [sum(column) for column in zip(usage.STILL.calls, *(course.calls for course in courses), strict=True)],
        [sum(column) for column in zip(usage.STILL.failures, *(course.failures for course in courses), strict=True)],
    )


def _users(workspace_id: int, uses: Mapping[int, Use]) -> list[SystemUser]:
    agents = Agent.objects.filter(workspace_id=workspace_id).select_related("application").in_bulk(list(uses))
    lines = []
    for agent_id, use in uses.items():
        row = agents.get(agent_id)
        who = (row.slug, row.name, row.application.name) if row else ("", "", "")
        if use.n:
            lines.append(SystemUser(*who, use.n, use.failures, use.interval))
    return sorted(lines, key=lambda line: (-line.calls, line.agent, line.slug))


def _currency(workspace_id: int) -> str:
    return Workspace.objects.values_list("currency", flat=True).get(pk=workspace_id)


def _line(row: System, uses: Mapping[int, Use], currency: str) -> SystemLine:
    use = usage.total(uses.values())
    return SystemLine(
        id=row.slug,
        name=row.name,
        kind=row.kind,
        provider=row.provider,
        calls=use.n,
        failures=use.failures,
        failure_rate=use.rate,
        interval=use.interval,
        tokens=Tokens(use.tokens_in, use.tokens_out),
        cost=money(use.cost, currency),
        p50_ms=use.percentile(0.5),
        p95_ms=use.percentile(0.95),
        agents=sum(1 for agent_id, each in uses.items() if agent_id and each.n),
    )


def _largest(value: Callable[[SystemLine], Any]) -> Callable[[SystemLine], tuple[Any, ...]]:
    def key(line: SystemLine) -> tuple[Any, ...]:
        found = value(line)
        return (found is None, -found if found is not None else 0, line.name.casefold(), line.id)

    return key


_ORDERS: Mapping[str, Callable[[SystemLine], tuple[Any, ...]]] = {
    "name": lambda line: (line.name.casefold(), line.id),
    "calls": _largest(lambda line: line.calls),
    "failures": _largest(lambda line: line.failures),
    "failure_rate": _largest(lambda line: line.interval and line.interval[0]),
    "p95_ms": _largest(lambda line: line.p95_ms),
}
