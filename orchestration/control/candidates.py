"""Who may get a piece of work: those that were named, or that have done it before, with what is measured of each and
what stands in the way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestration.control.in_force import Force
from orchestration.lib.names import normal
from orchestration.registry.models import Agent, System
from orchestration.routing import circuits
from orchestration.routing.choose import Candidate, expected, interval, pooled
from orchestration.routing.models import Breaker, Cell, Circuit
from orchestration.routing.moves import Moved

MOST_CANDIDATES, MOST_CELLS = 50, 500
FRESH_S, REMEMBERED = 10.0, 5_000

Counted = tuple[float, float, int, int]  # alpha, beta, calls, failures


class Unknown(ValueError):
    """Something that was named is not there; `field` says what."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done. `kind`: of call (tool, llm …); `task`: as steps or actions are called; `candidates`: empty
    for all that have done it."""

    task: str = ""
    system: str = ""
    kind: str = ""
    run: str = ""
    candidates: tuple[str, ...] = ()
    risk: str = "normal"
    amount: Decimal | None = None
    currency: str = ""


_systems: dict[tuple[int, str], tuple[float, System]] = {}


def system_called(workspace_id: int, called: str) -> System | None:
    """By slug or name; remembered for some seconds, since the same few are asked about."""
    if not called:
        return None
    known = _systems.get((workspace_id, called))
    if known and known[0] > time.monotonic():
        return known[1]
    found = System.objects.filter(workspace_id=workspace_id)
    row = found.filter(slug=called).first() or found.filter(key=normal(called)).order_by("-kind").first()
    if row is None:
        raise Unknown("system", f"No system is called {called}.")
    if len(_systems) >= REMEMBERED:
        _systems.clear()
    _systems[workspace_id, called] = time.monotonic() + FRESH_S, row
    return row


def forget() -> None:
    """Empty the memory, between tests."""
    _systems.clear()


def measured_for(
    workspace_id: int, work: Work, system: System | None
) -> tuple[dict[int, Agent], dict[int, list[Counted]]]:
    """The candidates by id, those that were named, else those that have done this work; and their cells."""
    named = _named_ones(workspace_id, work) if work.candidates else None
    rows = _cells(workspace_id, work, system).select_related("agent__application").order_by("-n")
    agents: dict[int, Agent] = dict(named or {})
    cells: dict[int, list[Counted]] = {}
    for row in rows.filter(agent__in=list(named)) if named is not None else rows[:MOST_CELLS]:
        if row.agent_id not in agents and len(agents) >= MOST_CANDIDATES:
            continue
        agents.setdefault(row.agent_id, row.agent)
        cells.setdefault(row.agent_id, []).append((row.alpha, row.beta, row.n, row.failures))
    return agents, cells


def _named_ones(workspace_id: int, work: Work) -> dict[int, Agent]:
    found = Agent.objects.filter(workspace_id=workspace_id).select_related("application")
    agents: dict[int, Agent] = {}
    for called in work.candidates:
        application, slash, name = called.rpartition("/")
        same = found.filter(application__name=application, key=normal(name)) if slash else found.filter(slug=called)
        rows = list(same[:2]) or list(found.filter(key=normal(called))[:2])
        if len(rows) != 1:
            raise Unknown("candidates", f"No agent is called {called}, or several are.")
        agents[rows[0].pk] = rows[0]
    return agents


def _cells(workspace_id: int, work: Work, system: System | None) -> Any:
    """By system and kind of call where a system is named; else by task, else all that is known of an agent."""
    found = Cell.objects.filter(workspace_id=workspace_id)
    if system is not None:
        return found.filter(system=system, **({"kind": work.kind} if work.kind else {}))
    if work.task:
        return found.filter(task=work.task)
    return found.filter(task="", **({"kind": work.kind} if work.kind else {}))


def candidates(
    workspace_id: int,
    work: Work,
    of: tuple[System | None, Mapping[int, Agent], Mapping[int, list[Counted]]],
    force: Force,
    at: datetime,
) -> list[Candidate]:
    system, agents, measured = of
    circuit = circuits.standing(workspace_id) if system else {}
    made = {pk: _candidate(pk, agents[pk], pooled(cells)) for pk, cells in measured.items()}
    alpha, beta = expected(made)
    made |= {pk: _candidate(pk, row, (alpha, beta, 0, 0)) for pk, row in agents.items() if pk not in made}
    named = _named(agents)
    found = []
    for pk, each in made.items():
        row = circuit.get((pk, system.pk)) if system else None
        barred = _barred(agents[pk], work, row, force, at)
        half = row is not None and row.state == Circuit.HALF
        found.append(replace(each, name=named[pk], barred=barred, half_open=half))
    return sorted(found, key=lambda each: each.id)


def _candidate(pk: int, agent: Agent, counted: tuple[float, float, int, int]) -> Candidate:
    """The interval is that of the pooled beta, as normal on the log odds: near enough to be told in whole percents."""
    alpha, beta, n, failures = counted
    low, high = interval(alpha, beta)
    return Candidate(pk, agent.name, alpha, beta, low, high, n, failures)


def _named(agents: Mapping[int, Agent]) -> dict[int, str]:
    """By name, with the application where several are called so."""
    keys = [agent.key for agent in agents.values()]
    return {
        pk: agent.name if keys.count(agent.key) == 1 else f"{agent.application.name}/{agent.name}"
        for pk, agent in agents.items()
    }


def _barred(agent: Agent, work: Work, breaker: Breaker | None, force: Force, at: datetime) -> str:
    """Why it must not be chosen, in words; "" where it may."""
    stopped = force.stops.found(agent.pk, agent.name, work.run, at) if force.stops else None
    if stopped:
        return stopped.words
    moved = _moved(force.moves.get(str(agent.pk), ()), work, at)
    if moved and not moved.share:
        return moved.words
    if breaker is not None and breaker.state == Circuit.OPEN:
        return f"Its circuit to this system is open: {breaker.words}."
    return ""


def _moved(moved: Sequence[Moved], work: Work, at: datetime) -> Moved | None:
    return next((each for each in moved if each.takes(work.system, work.task, at)), None)
