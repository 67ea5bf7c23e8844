"""How reliable agents are by system and which way work goes: what the page, the API and the export all read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import hypot
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from orchestration.autonomy.models import Action, Kind, State
from orchestration.lib.stats import ENOUGH
from orchestration.policies.models import Decision
from orchestration.registry.models import Agent
from orchestration.routing.choose import interval, pooled
from orchestration.routing.models import Breaker, Cell, Choice, Circuit, Move, Slice

LATELY = timedelta(hours=24)  # how long a circuit that closed again is shown
MOST_LISTED = 20
FIRST = 10**15  # more calls than there are
LINE = ("id", "agent", "system", "kind", "success", "low", "high", "calls", "failures", "worth", "circuit")


@dataclass(frozen=True, slots=True)
class Record:
    """What is measured of an agent on a system: share that succeeds, decayed and shrunk, of `n` calls counted."""

    agent: int
    system: int
    success: float
    low: float
    high: float
    n: int
    failures: int
    circuit: str = Circuit.CLOSED.value

    @property
    def shown(self) -> str:
        return f"{self.success:.0%} ({self.low:.0%} to {self.high:.0%}, n={self.n})".replace("% to", " to")


@dataclass(frozen=True, slots=True)
class MovedWork:
    """Work that goes elsewhere now, with what is measured of both at it, as far as it is."""

    action: UUID
    agent: str
    agent_slug: str
    to: str
    to_slug: str
    system: str
    task: str
    since: datetime
    until: datetime | None
    share: float
    words: str
    by: str
    reason: str
    before: Record | None
    after: Record | None
    sent: int = 0  # asks that were answered by it so far

    @property
    def saved(self) -> tuple[float, float, float] | None:
        """About how many failures there were fewer by it, and from how many to how many (95 %, both shares taken as
        normal); None where it is not known what either is worth."""
        if not (self.sent and self.before and self.after) or min(self.before.n, self.after.n) < ENOUGH:
            return None
        gain = self.after.success - self.before.success
        spread = hypot(self.after.high - self.after.low, self.before.high - self.before.low) / 2
        return self.sent * gain, self.sent * (gain - spread), self.sent * (gain + spread)


@dataclass(frozen=True, slots=True)
class Figures:
    """`agents` and `systems`: names by id, those with most calls first."""

    agents: Mapping[int, tuple[str, str]]  # name and slug
    systems: Mapping[int, tuple[str, str]]
    records: Mapping[tuple[int, int], Record]
    moves: list[MovedWork]
    circuits: list[Breaker]
    proposed: list[Action]
    choices: list[Choice]
    slices: list[Slice]
    as_of: datetime | None


def figures(workspace_id: int, kind: str = "") -> Figures:
    """`kind`: of call; empty for all."""
    cells = Cell.objects.filter(workspace_id=workspace_id, system__isnull=False).select_related("agent", "system")
    if kind:
        cells = cells.filter(kind=kind)
    rows = list(cells)
    circuits = _circuits(workspace_id)
    records = _records(rows, circuits)
    weight: dict[int, int] = {}
    for (agent, system), each in records.items():
        weight[agent] = weight.get(agent, 0) + each.n
        weight[-system] = weight.get(-system, 0) + each.n
    for circuit in circuits:  # what is broken stands first
        for place in (circuit.agent_id, -circuit.system_id):
            if circuit.state != Circuit.CLOSED and place in weight:
                weight[place] += FIRST
    agents = {row.agent_id: (row.agent.name, row.agent.slug) for row in rows}
    systems = {row.system_id: (row.system.name, row.system.slug) for row in rows if row.system_id and row.system}
    return Figures(
        dict(sorted(agents.items(), key=lambda each: -weight[each[0]])),
        dict(sorted(systems.items(), key=lambda each: -weight[-each[0]])),
        records,
        _moves(workspace_id, records),
        circuits,
        list(_proposed(workspace_id)),
        list(Choice.objects.filter(workspace_id=workspace_id).order_by("-at")[:MOST_LISTED]),
        list(Slice.objects.filter(workspace_id=workspace_id).order_by("-evidence")[:MOST_LISTED]),
        max((row.at for row in rows), default=None),
    )


def of_agent(workspace_id: int, agent_id: int) -> dict[int, Record]:
    """What is measured of one agent, by system, all kinds of call together."""
    rows = list(Cell.objects.filter(workspace_id=workspace_id, agent_id=agent_id, system__isnull=False))
    found = _records(rows, _circuits(workspace_id))
    return {system: each for (_, system), each in found.items()}


def lines(workspace_id: int) -> list[dict[str, object]]:
    """The matrix, a line for each agent and system and kind of call."""
    rows = Cell.objects.filter(workspace_id=workspace_id, system__isnull=False).select_related("agent", "system")
    state = {(row.agent_id, row.system_id): row.state for row in _circuits(workspace_id)}
    found = []
    for row in rows.order_by("agent__slug", "system__slug", "kind"):
        system = row.system.name if row.system else ""
        counted = round(row.mean, 4), round(row.low, 4), round(row.high, 4), row.n, row.failures, round(row.sure, 1)
        circuit = state.get((row.agent_id, row.system_id or 0), Circuit.CLOSED.value)
        values = row.agent.slug, row.agent.name, system, row.kind, *counted, circuit
        found.append(dict(zip(LINE, values, strict=True)))
    return found


def named_agents(workspace_id: int) -> list[tuple[str, str]]:
    """Slug and name of who may be named in a form."""
    rows = Agent.objects.filter(workspace_id=workspace_id).order_by("name", "slug")
    return list(rows.values_list("slug", "name")[:500])


def _records(rows: list[Cell], circuits: list[Breaker]) -> dict[tuple[int, int], Record]:
    parts: dict[tuple[int, int], list[tuple[float, float, int, int]]] = {}
    for row in rows:
        if row.system_id is not None:
            place = row.agent_id, row.system_id
            parts.setdefault(place, []).append((row.alpha, row.beta, row.n, row.failures))
    state = {(row.agent_id, row.system_id): row.state for row in circuits}
    found = {}
    for (agent, system), cells in parts.items():
        alpha, beta, n, failures = pooled(cells)
        circuit = state.get((agent, system), Circuit.CLOSED.value)
        found[agent, system] = Record(
            agent, system, alpha / (alpha + beta), *interval(alpha, beta), n, failures, circuit
        )
    return found


def _circuits(workspace_id: int) -> list[Breaker]:
    """Those that are not closed, and those that closed lately."""
    rows = Breaker.objects.filter(workspace_id=workspace_id).select_related("agent", "system").order_by("-since")
    recent = timezone.now() - LATELY
    return [row for row in rows[:500] if row.state != Circuit.CLOSED or row.since > recent]


def _moves(workspace_id: int, records: Mapping[tuple[int, int], Record]) -> list[MovedWork]:
    rows = list(
        Move.objects.filter(workspace_id=workspace_id).select_related("agent", "to", "system").order_by("-since")[:100]
    )
    acts = Action.objects.filter(workspace_id=workspace_id).in_bulk([row.action for row in rows])
    sent = _sent(rows)
    return [
        MovedWork(
            action=row.action,
            agent=row.agent.name,
            agent_slug=row.agent.slug,
            to=row.to.name,
            to_slug=row.to.slug,
            system=row.system.name if row.system else "",
            task=row.task,
            since=row.since,
            until=row.until,
            share=row.share,
            words=row.words,
            by=acts[row.action].by if row.action in acts else "",
            reason=acts[row.action].reason if row.action in acts else "",
            before=records.get((row.agent_id, row.system_id)) if row.system_id else None,
            after=records.get((row.to_id, row.system_id)) if row.system_id else None,
            sent=sent[row.pk],
        )
        for row in rows
    ]


def _sent(rows: Sequence[Move]) -> Mapping[int, int]:
    """By move: asks that it answered."""
    return {row.pk: _answered(row).count() for row in rows}


def _answered(row: Move) -> QuerySet[Decision]:
    routed = Decision.objects.filter(workspace_id=row.workspace_id, effect="route", policy_id=None)
    return routed.filter(agent_id=row.agent_id, at__gte=row.since, answer__reasons__0__words=row.words)


def _proposed(workspace_id: int) -> QuerySet[Action]:
    waiting = Action.objects.filter(workspace_id=workspace_id, kind=Kind.REROUTE, state=State.PROPOSED)
    return waiting.order_by("-created_at")[:MOST_LISTED]
