"""Who may get a piece of work: those that were named, or that have done it before, with what is measured of each and
what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestration.control.in_force import Force
from orchestration.lib.names import normal
from orchestration.lib.remembering import Remembered
from orchestration.registry.models import Agent, System
from orchestration.routing.choose import Candidate, expected, interval, pooled
from orchestration.routing.models import Cell, Circuit
from orchestration.routing.moves import Moved

MOST_CANDIDATES, MOST_CELLS = 50, 500
FRESH_S, FIELDS = 10.0, 500

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


@dataclass(frozen=True, slots=True)
class Field:
    """Who could do a kind of work: who was named, else who has done it; with what is measured of each."""

    agents: Mapping[int, Agent]
    measured: Sequence[Candidate]


Circuited = tuple[str, str]  # state and words of one that is not closed


@dataclass(frozen=True, slots=True)
class Standing:
    """What is so this moment: `circuits` by agent, of the system that is asked about; `stopped`: why nobody may."""

    force: Force
    circuits: Mapping[int, Circuited]
    stopped: str = ""


_systems: Remembered[tuple[int, str], System] = Remembered(FRESH_S)
_fields: Remembered[tuple[Any, ...], Field] = Remembered(FRESH_S, FIELDS)


def system_called(workspace_id: int, called: str) -> System | None:
    """By slug or name; remembered for some seconds, since the same few are asked about."""
    if not called:
        return None
    return _systems.of((workspace_id, called), lambda: _system(workspace_id, called))


def _system(workspace_id: int, called: str) -> System:
    found = System.objects.filter(workspace_id=workspace_id)
    row = found.filter(slug=called).first() or found.filter(key=normal(called)).order_by("-kind").first()
    if row is None:
        raise Unknown("system", f"No system is called {called}.")
    return row


def field_for(workspace_id: int, work: Work, system: System | None) -> Field:
    """Remembered for some seconds: it is measured anew each minute."""
    place = workspace_id, system.pk if system else 0, work.kind, work.task, work.candidates
    return _fields.of(place, lambda: _field(workspace_id, work, system))


def _field(workspace_id: int, work: Work, system: System | None) -> Field:
    agents, cells = _read(workspace_id, work, system)
    made = {pk: _candidate(pk, agents[pk], pooled(each)) for pk, each in cells.items()}
    alpha, beta = expected(made)
    made |= {pk: _candidate(pk, row, (alpha, beta, 0, 0)) for pk, row in agents.items() if pk not in made}
    named = _named(agents)
    return Field(agents, [replace(made[pk], name=named[pk]) for pk in sorted(made)])


def forget() -> None:
    """Empty the memory, between tests."""
    _systems.clear()
    _fields.clear()


def _read(workspace_id: int, work: Work, system: System | None) -> tuple[dict[int, Agent], dict[int, list[Counted]]]:
    """The candidates by id, and their cells."""
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


def candidates(field: Field, work: Work, now: Standing, at: datetime) -> list[Candidate]:
    """With what stands in the way of each now."""
    found = []
    for each in field.measured:
        circuit = now.circuits.get(each.id)
        barred = now.stopped or _barred(field.agents[each.id], work, circuit, now.force, at)
        half = circuit is not None and circuit[0] == Circuit.HALF
        found.append(replace(each, barred=barred, half_open=half) if barred or half else each)
    return found


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


def _barred(agent: Agent, work: Work, circuit: Circuited | None, force: Force, at: datetime) -> str:
    """Why it must not be chosen, in words; "" where it may."""
    stopped = force.stops.found(agent.pk, agent.name, work.run, at) if force.stops else None
    if stopped:
        return stopped.words
    moved = _moved(force.moves.get(str(agent.pk), ()), work, at)
    if moved and not moved.share:
        return moved.words
    if circuit is not None and circuit[0] == Circuit.OPEN:
        return f"Its circuit to this system is open: {circuit[1]}."
    return ""


def _moved(moved: Sequence[Moved], work: Work, at: datetime) -> Moved | None:
    return next((each for each in moved if each.takes(work.system, work.task, at)), None)
