"""What rules on signals are about, measured now: out of figures and rows that exist, without counting any span.

Each measure gives what there is something to say of: an agent that has not called anything has no failure rate. What is
not given is clear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q

from orchestration.autonomy.models import Action, Cause
from orchestration.control import states, usage, worsening
from orchestration.control.usage import Use
from orchestration.holds.models import Hold
from orchestration.registry.models import Agent, System
from orchestration.routing.models import Breaker, Circuit
from orchestration.workflows import paces
from orchestration.workflows.models import Measure, Run, RunStatus, Workflow
from orchestration.workspaces.models import Workspace

WINDOW = timedelta(minutes=5)
DAY = timedelta(days=1)
LOOPING = timedelta(minutes=15)  # so long after it was found an agent counts as going in circles
BILLIONTHS = Decimal(10) ** 9
MOST = 2_000  # runs that are looked at
Named = tuple[str, str]  # id and name


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one thing. `tied`: by kind what it is and what it belongs to; the kinds that a rule may act upon. `runs`: some
    that show it."""

    signal: str
    target: str
    name: str
    facts: Mapping[str, Any]
    tied: Mapping[str, Named] = field(default_factory=dict)
    runs: tuple[str, ...] = ()


def measured(workspace: Workspace, now: datetime, signals: Collection[str]) -> list[Measured]:
    """Of these signals. The time is part of the facts."""
    at = now.astimezone(ZoneInfo(workspace.zone))
    clock = {"now.hour": float(at.hour), "now.weekday": float(at.isoweekday()), "now.weekend": at.isoweekday() > 5}
    found = [each for signal in signals for each in _MEASURES[signal](workspace, now)]
    return [replace(each, facts={**each.facts, "target.name": each.name, **clock}) for each in found]


def _agent_failures(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    uses = usage.by(usage.rows_between(workspace.pk, now - WINDOW, now), ("agent_id",))
    yield from _of_agents(workspace, "agent_failures", {key[0]: _rates(use) for key, use in uses.items() if use.n})


def _agent_worse(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    found = worsening.found(workspace.pk, now)
    facts = {
        pk: {
            "signal.one_in": each.one_in,
            "signal.usual": each.usual,
            "signal.rate": each.failures / each.n,
            "signal.calls": float(each.n),
            "signal.failures": float(each.failures),
            "signal.by": each.by,
        }
        for pk, each in found.items()
    }
    for each in _of_agents(workspace, "agent_worse", facts):
        pk = int(each.target)
        runs = worsening.tripped(workspace.pk, pk, found[pk].since)
        yield replace(each, runs=tuple(str(run) for run in runs))


def _system_failures(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    uses = usage.by(usage.rows_between(workspace.pk, now - WINDOW, now), ("system_id",))
    found = {key[0]: use for key, use in uses.items() if use.n and key[0]}
    for pk, name in System.objects.filter(workspace=workspace, pk__in=found).values_list("pk", "name"):
        yield Measured("system_failures", str(pk), name, _rates(found[pk]), {"system": (str(pk), name)})


def _workflow_failures(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    booked = paces.by_workflow(paces.rows_between(workspace.pk, now - WINDOW, now), steps=False)
    ended = {pk: each.of(Measure.DURATION) for pk, each in booked.items()}
    for pk, name in _workflows(workspace.pk, ended).items():
        if pace := ended[pk]:
            facts = _rates(Use(pace.n, pace.failed))
            yield Measured("workflow_failures", str(pk), name, facts, {"workflow": (str(pk), name)})


def _breaker(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    rows = Breaker.objects.filter(workspace=workspace).exclude(state=Circuit.CLOSED)
    for row in rows.select_related("agent", "agent__application", "system"):
        facts = {
            "signal.state": row.state,
            "signal.minutes": _minutes(row.since, now),
            "signal.opens": float(row.opens),
            "signal.system": row.system.name,
            "target.application": row.agent.application.name,
        }
        tied = {"agent": (str(row.agent_id), row.agent.name), "system": (str(row.system_id), row.system.name)}
        yield Measured("breaker", str(row.pk), row.agent.name, facts, tied)


def _stuck_run(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    open_ones = (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.STALLED)
    runs = _runs(workspace).filter(
        status__in=open_ones, started_at__gt=now - DAY, heard_at__lt=now - timedelta(minutes=1)
    )

    def facts(run: Run) -> dict[str, Any]:
        return {"signal.minutes": _minutes(run.heard_at, now), "signal.status": run.status}

    yield from _of_runs(workspace, "stuck_run", runs.order_by("-heard_at")[:MOST], facts)


def _run_cost(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    going = Q(status__in=[RunStatus.RUNNING, RunStatus.WAITING]) | Q(heard_at__gt=now - WINDOW)
    runs = _runs(workspace).filter(going, started_at__gt=now - DAY, cost__gt=0)

    def facts(run: Run) -> dict[str, Any]:
        return {"signal.cost": _money(run.cost), "signal.tokens": float(run.tokens_in + run.tokens_out)}

    yield from _of_runs(workspace, "run_cost", runs.order_by("-cost")[:MOST], facts)


def _agent_cost(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    midnight = now.astimezone(ZoneInfo(workspace.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    uses = usage.by(usage.rows_between(workspace.pk, midnight, now), ("agent_id",), usage.IS_SPAN)
    facts = {
        key[0]: {"signal.cost": _money(use.cost), "signal.tokens": float(use.tokens_in + use.tokens_out)}
        for key, use in uses.items()
        if use.cost
    }
    yield from _of_agents(workspace, "agent_cost", facts)


def _loop(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    """Findings of the last minutes, of each agent the newest."""
    acts = Action.objects.filter(workspace=workspace, cause=Cause.FINDING, created_at__gt=now - LOOPING)
    found: dict[str, Measured] = {}
    for act in acts.filter(told__why="loop").order_by("created_at"):
        run = str(act.told.get("run") or "")
        facts = {"signal.repeats": float(act.told.get("calls") or 0), "signal.tool": str(act.told.get("tool") or "")}
        tied = {"agent": (act.target, act.name)} | ({"run": (run, f"Run {run[:8]}")} if run else {})
        found[act.target] = Measured("loop", act.target, act.name, facts, tied)
    yield from found.values()


def _silence(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    facts: dict[int, dict[str, Any]] = {}
    for pk, signs in states.signs_of(workspace.pk).items():
        if signs.heard_at is None or signs.process or now - signs.heard_at > DAY:
            continue
        facts[pk] = {"signal.minutes": _minutes(signs.heard_at, now)}
        if signs.usual_gap is not None:
            facts[pk]["signal.usual_minutes"] = signs.usual_gap.total_seconds() / 60
    yield from _of_agents(workspace, "silence", facts)


def _queue(workspace: Workspace, now: datetime) -> Iterator[Measured]:
    late = Count("id", filter=Q(due_at__lt=now))
    found = Hold.objects.filter(workspace=workspace).open().aggregate(n=Count("id"), first=Min("opened_at"), late=late)
    if found["n"]:
        facts = {
            "signal.minutes": _minutes(found["first"], now),
            "signal.open": float(found["n"]),
            "signal.late": float(found["late"]),
        }
        here = (str(workspace.pk), workspace.name)
        yield Measured("queue", here[0], here[1], facts, {"workspace": here})


def _of_agents(workspace: Workspace, signal: str, found: Mapping[int, dict[str, Any]]) -> Iterator[Measured]:
    rows = Agent.objects.filter(workspace=workspace, pk__in=[pk for pk in found if pk])
    for pk, name, application in rows.values_list("pk", "name", "application__name"):
        facts = {**found[pk], "target.application": application}
        yield Measured(signal, str(pk), name, facts, {"agent": (str(pk), name)})


def _of_runs(
    workspace: Workspace, signal: str, runs: Any, facts: Callable[[Run], dict[str, Any]]
) -> Iterator[Measured]:
    rows = list(runs)
    names = _workflows(workspace.pk, {run.workflow_id for run in rows})
    for run in rows:
        title = run.title[:300] or f"Run {str(run.id)[:8]}"
        tied, more = {"run": (str(run.id), title)}, {}
        if name := names.get(run.workflow_id):
            tied["workflow"] = (str(run.workflow_id), name)
            more["target.workflow"] = name
        yield Measured(signal, str(run.id), title, facts(run) | more, tied)


def _runs(workspace: Workspace) -> Any:
    return Run.objects.filter(workspace_id=workspace.pk, merged_into=None, cancelled_at=None)


def _workflows(workspace_id: int, ids: Collection[int]) -> dict[int, str]:
    return dict(Workflow.objects.filter(workspace_id=workspace_id, id__in=ids).values_list("id", "name"))


def _rates(use: Use) -> dict[str, Any]:
    low = use.interval[0] if use.interval else 0.0
    named = {"surely": low, "rate": use.rate or 0.0, "calls": float(use.n), "failures": float(use.failures)}
    return {f"signal.{name}": value for name, value in named.items()}


def _minutes(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds() / 60)


def _money(billionths: int | None) -> float:
    return float((billionths or 0) / BILLIONTHS)


_MEASURES: Mapping[str, Callable[[Workspace, datetime], Iterator[Measured]]] = {
    "agent_failures": _agent_failures,
    "agent_worse": _agent_worse,
    "workflow_failures": _workflow_failures,
    "system_failures": _system_failures,
    "breaker": _breaker,
    "stuck_run": _stuck_run,
    "loop": _loop,
    "silence": _silence,
    "run_cost": _run_cost,
    "agent_cost": _agent_cost,
    "queue": _queue,
}
