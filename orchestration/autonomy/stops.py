"""Who may not go on now, as a process that decides holds it. The rulebook's generation tells whether that still stands,
as it does for rules: who changes it renews the generation in the same transaction, so that a stop is in force
everywhere with its commit.

A stop comes before all rules: whoever is stopped is told so, and no rule is asked. Who is supervised is not stopped:
rules are asked, and what they would let it do alone is a person's to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from orchestration.autonomy.models import Kind, Stop, Target
from orchestration.lib.names import normal
from orchestration.lib.prepared import Prepared
from orchestration.policies import live
from orchestration.registry.models import Agent

AGAIN_S = 30  # after which a paused agent may ask again
CANCELLED_FOR = timedelta(days=2)  # so long who asks for a cancelled run is told so
STOPS_SQL = "select kind, target_kind, target, names, words, until from autonomy_stop where workspace_id = %s"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What stands in the way of an ask."""

    kind: str  # quarantine | pause | cancel | supervise
    words: str
    until: datetime | None

    @property
    def passes(self) -> bool:
        """Whether it is worth asking again."""
        return self.kind == Kind.PAUSE.value

    def again_s(self, now: datetime) -> int:
        left = (self.until - now).total_seconds() if self.until else AGAIN_S
        return max(1, min(AGAIN_S, round(left)))


@dataclass(frozen=True, slots=True)
class Stops:
    """By what an ask tells: the agent's id, its name where the id is not known, the run's names, the workflow's name.
    Of several that concern one ask the hardest comes first. `supervised` and `supervised_names`: who may go on, and do
    nothing alone."""

    agents: Mapping[str, Sequence[Stopped]]
    names: Mapping[str, Sequence[Stopped]]
    runs: Mapping[str, Sequence[Stopped]]
    workflows: Mapping[str, Sequence[Stopped]]
    supervised: Mapping[str, Sequence[Stopped]]
    supervised_names: Mapping[str, Sequence[Stopped]]

    def __bool__(self) -> bool:
        return bool(self.agents or self.runs or self.workflows)

    def found(self, agent_id: int, agent: str, run: str, now: datetime) -> Stopped | None:
        """Of an ask by what it says itself. An agent that is not known, or whose name several have, is stopped with any
        of that name: who spells himself so that nobody knows him does not slip through."""
        mine = _mine(self.agents, self.names, agent_id, agent)
        return _first([*mine, *self.runs.get(run, ())] if run else mine, now)

    def over(self, agent_id: int, agent: str, now: datetime) -> Stopped | None:
        """By what the agent is supervised, if it is."""
        return _first(_mine(self.supervised, self.supervised_names, agent_id, agent), now) if self.supervised else None

    def of_workflow(self, name: str, now: datetime) -> Stopped | None:
        return _first(self.workflows.get(name, ()), now)


NONE = Stops({}, {}, {}, {}, {}, {})
_HARDEST = (Kind.QUARANTINE.value, Kind.CANCEL.value, Kind.PAUSE.value, Kind.SUPERVISE.value)


def stops_of(rows: Iterable[Sequence[Any]]) -> Stops:
    """Out of the rows of `STOPS_SQL`."""
    found = Stops({}, {}, {}, {}, {}, {})
    for kind, target_kind, target, names, words, until in sorted(rows, key=lambda row: _HARDEST.index(row[0])):
        stop = Stopped(kind, words, until)
        if kind == Kind.SUPERVISE:
            _add(found.supervised, [target], stop)
            _add(found.supervised_names, names, stop)
        elif target_kind == Target.AGENT:
            _add(found.agents, [target], stop)
            _add(found.names, names, stop)
        else:
            _add(found.runs if target_kind == Target.RUN else found.workflows, names, stop)
    return found


def stops(workspace_id: int) -> Stops:
    """The same, read on Django's connection."""
    with connection.cursor() as cursor:
        cursor.execute(STOPS_SQL, [workspace_id])
        return stops_of(cursor.fetchall())


AGENTS_STOPPED = Prepared(
    "agents_stopped",
    "select target from autonomy_stop "
    f"where workspace_id = %(workspace)s and kind = %(stopped)s and target_kind = '{Target.AGENT}'",
)


def agents_stopped(workspace_id: int, kind: Kind) -> set[int]:
    """Ids of the agents that are quarantined, or paused, now."""
    return {int(target) for (target,) in AGENTS_STOPPED.rows({"workspace": workspace_id, "stopped": kind})}


def agents_by_kind(workspace_id: int) -> dict[int, set[str]]:
    """What stops agents now, by agent: kinds of acts."""
    found: dict[int, set[str]] = {}
    rows = Stop.objects.filter(workspace_id=workspace_id, target_kind=Target.AGENT)
    for target, kind in rows.values_list("target", "kind"):
        found.setdefault(int(target), set()).add(kind)
    return found


def of(workspace_id: int, target_kind: Target, target: str) -> dict[str, Stop]:
    """What stops one thing now, by kind."""
    rows = Stop.objects.filter(workspace_id=workspace_id, target_kind=target_kind, target=target)
    return {row.kind: row for row in rows.select_related("action")}


def told(workspace_id: int) -> list[dict[str, Any]]:
    """For who decides by himself, away from Baton. `names`: what an ask may call the target by, an agent's without
    capitals, `-` and `_`; `application`: of an agent, so that one of an equal name elsewhere is not meant."""
    rows = list(Stop.objects.filter(workspace_id=workspace_id).order_by("kind", "target_kind", "target"))
    ids = [int(row.target) for row in rows if row.target_kind == Target.AGENT]
    agents = Agent.objects.filter(workspace_id=workspace_id, pk__in=ids).values_list("pk", "application__name")
    applications = {str(pk): name for pk, name in agents}
    return [
        {
            "kind": row.kind,
            "target_kind": row.target_kind,
            "target": row.target,
            "application": applications.get(row.target) if row.target_kind == Target.AGENT else None,
            "names": sorted(row.names),
            "words": row.words,
            "until": row.until.astimezone(UTC).isoformat(timespec="seconds") if row.until else None,
        }
        for row in rows
    ]


def renew(workspace_ids: Iterable[int]) -> None:
    """Tell every process that who is stopped has changed: in the transaction that changes it."""
    live.renew(workspace_ids)


def _mine(
    by_id: Mapping[str, Sequence[Stopped]], by_name: Mapping[str, Sequence[Stopped]], agent_id: int, agent: str
) -> Sequence[Stopped]:
    return by_id.get(str(agent_id), ()) if agent_id else by_name.get(normal(agent.rpartition("/")[2]), ())


def _add(places: Mapping[str, Sequence[Stopped]], names: Iterable[str], stop: Stopped) -> None:
    for name in names:
        places.setdefault(name, []).append(stop)  # type: ignore[attr-defined]


def _first(found: Sequence[Stopped], now: datetime) -> Stopped | None:
    return next((stop for stop in found if stop.until is None or stop.until > now), None)
