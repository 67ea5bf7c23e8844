"""What state each agent is in now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestration.autonomy.models import Kind as StopKind
from orchestration.autonomy.stops import AGENTS_STOPPED
from orchestration.control.held import ASKING, held_agents
from orchestration.lib.names import normal
from orchestration.lib.prepared import Prepared, together
from orchestration.registry.models import Agent
from orchestration.telemetry.liveness import usual_gap_s
from orchestration.workflows.models import RunStatus, Workflow

STATES = ("working", "waiting", "idle", "held", "silent", "quarantined")
Rows = list[tuple[Any, ...]]
FRESH = timedelta(seconds=60)  # heard within this time: at work
UNUSUAL = timedelta(minutes=10)  # quiet for longer inside an unfinished run, where what is usual is not known
OPEN = (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.STALLED)


@dataclass(frozen=True, slots=True)
class Current:
    """What an agent was last seen at, while that run is not over."""

    run: UUID
    step: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Census:
    """How many agents are in each state now."""

    working: int
    waiting: int
    idle: int
    held: int
    silent: int
    quarantined: int

    @property
    def active(self) -> int:
        return self.working + self.waiting + self.held

    @property
    def all(self) -> int:
        return self.active + self.idle + self.silent + self.quarantined


@dataclass(frozen=True, slots=True)
class Signs:
    """What an agent's state is judged by. `last`: nobody did a later step of the run it was last heard in.

    `process`: the name is a workflow's, as some producers write it on spans around their agents, and no run has it
    among its agents."""

    heard_at: datetime | None = None
    usual_gap: timedelta | None = None
    run: UUID | None = None
    run_status: str = ""
    last: bool = False
    open_step: bool = False
    step: str = ""
    step_at: datetime | None = None
    process: bool = False
    held: bool = False  # a hold of its own is open
    quarantined: bool = False

    @property
    def current(self) -> Current | None:
        if self.run is None or self.run_status not in OPEN:
            return None
        return Current(self.run, self.step, self.step_at)


NO_SIGNS = Signs()


def state_of(signs: Signs, now: datetime) -> str:
    """The first state that holds."""
    if signs.quarantined:
        return "quarantined"
    if signs.held:
        return "held"
    if signs.last and signs.run_status == RunStatus.WAITING:
        return "waiting"
    if signs.open_step:
        return "working"
    if signs.heard_at is None:
        return "idle"
    quiet = now - signs.heard_at
    if quiet <= FRESH:
        return "working"
    if signs.usual_gap is not None:
        return "silent" if quiet > max(FRESH, signs.usual_gap) else "idle"
    inside = signs.last and signs.run_status in (RunStatus.RUNNING, RunStatus.STALLED)
    return "silent" if inside and quiet > UNUSUAL else "idle"


_IN_NO_RUN = (
    "not exists (select 1 from workflows_run o where o.workspace_id = p.workspace_id and o.agents @> array[p.agent_id])"
)
HEARD = Prepared(
    "agents_heard",
    "select p.agent_id, p.heard_at, p.step, p.step_at, r.id, r.status, p.gaps, "
    f"not r.agents @> array[p.agent_id] and {_IN_NO_RUN} from telemetry_pulse p "
    "left join workflows_trace t on t.workspace_id = p.workspace_id and t.trace_id = p.trace_id "
    "left join workflows_run r on r.workspace_id = t.workspace_id and r.id = t.run_id "
    "where p.workspace_id = %(workspace)s",
)
# Agents with a step that was started and not finished, in a run that is not over. That the run itself is open says
# nothing of who is at work: it may wait for a person for days.
AT_WORK = Prepared(
    "agents_at_work",
    "select distinct s.agent_id from workflows_run r "
    "join workflows_trace t on t.workspace_id = r.workspace_id and t.run_id = r.id "
    "join workflows_step s on s.workspace_id = t.workspace_id and s.trace_id = t.trace_id "
    "where r.workspace_id = %(workspace)s and r.status in ('running', 'waiting') "
    "and s.agent_id > 0 and s.key <> '' and s.started_at is not null and s.ended_at is null",
)
KNOWN = Prepared("agents_known", "select id from registry_agent where workspace_id = %(workspace)s")
SIGNS = (HEARD, AT_WORK, ASKING, AGENTS_STOPPED)


def asked(workspace_id: int) -> dict[str, Any]:
    """What these statements are given."""
    return {"workspace": workspace_id, "stopped": StopKind.QUARANTINE}


def signs_of(workspace_id: int) -> dict[int, Signs]:
    """Signs of all agents ever heard of, held or quarantined, by agent id."""
    return _signs_of(workspace_id, *together(SIGNS, asked(workspace_id)))


def _signs_of(workspace_id: int, heard: Rows, at_work: Rows, asking: Rows, stopped: Rows) -> dict[int, Signs]:
    signs = _signs_heard(workspace_id, heard, {agent_id for (agent_id,) in at_work})
    for agent_id in held_agents(workspace_id, asking):
        signs[agent_id] = replace(signs.get(agent_id, NO_SIGNS), held=True)
    for (agent,) in stopped:
        signs[int(agent)] = replace(signs.get(int(agent), NO_SIGNS), quarantined=True)
    return signs


def _signs_heard(workspace_id: int, heard: Rows, at_work: set[int]) -> dict[int, Signs]:
    processes = _processes(workspace_id, [row[0] for row in heard if row[7]])
    latest: dict[UUID, datetime] = {}
    for row in heard:
        if row[4] and row[3]:
            latest[row[4]] = max(row[3], latest.get(row[4], row[3]))
    return {row[0]: _signs(row, latest, row[0] in at_work, row[0] in processes) for row in heard} | {
        agent: Signs(open_step=True) for agent in at_work.difference(row[0] for row in heard)
    }


def _signs(row: tuple[Any, ...], latest: dict[UUID, datetime], open_step: bool, process: bool) -> Signs:
    _, heard_at, step, step_at, run, status, gaps, _ = row
    gap = usual_gap_s(gaps)
    return Signs(
        heard_at=heard_at,
        usual_gap=None if gap is None else timedelta(seconds=gap),
        run=run,
        run_status=status or "",
        last=run is not None and step_at is not None and latest[run] == step_at,
        open_step=open_step,
        step=step,
        step_at=step_at,
        process=process and not open_step,
    )


def census(workspace_id: int, now: datetime, signs: Mapping[int, Signs] | None = None) -> Census:
    """Counts of agents by state, of `signs_of` where they are known."""
    if signs is not None:
        return _census(KNOWN.rows(asked(workspace_id)), signs, now)
    known, *rows = together((KNOWN, *SIGNS), asked(workspace_id))
    return _census(known, _signs_of(workspace_id, *rows), now)


def _census(known: Rows, signs: Mapping[int, Signs], now: datetime) -> Census:
    found = (signs.get(agent_id, NO_SIGNS) for (agent_id,) in known)
    return census_of(state_of(each, now) for each in found if not each.process)


def census_of(states: Iterable[str]) -> Census:
    counts = Counter(states)
    return Census(**{state: counts[state] for state in STATES})


def _processes(workspace_id: int, suspects: list[int]) -> set[int]:
    """Of agents that no run has among its own, those that are called as a workflow is."""
    if not suspects:
        return set()
    names = Workflow.objects.filter(workspace_id=workspace_id).values_list("name", flat=True)
    keys = {normal(name) for name in names}
    rows = Agent.objects.filter(workspace_id=workspace_id, id__in=suspects).values_list("id", "key")
    return {agent_id for agent_id, key in rows if key in keys}
