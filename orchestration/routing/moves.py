"""Work that was moved from one agent to another: read with the rules, so that it is in force with its commit."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from orchestration.lib.names import normal
from orchestration.routing.models import Move

MOVES_SQL = """
select m.agent_id, a.key, b.name, b.id, s.key, m.task, m.share, m.words, m.until
from routing_move m join registry_agent a on a.id = m.agent_id join registry_agent b on b.id = m.to_id
left join registry_system s on s.id = m.system_id where m.workspace_id = %s
"""
PROBES = 0.1  # of the work goes to an agent again that is being tried
PROBE_LEAST = 1.0  # half open and quiet: the first calls go there


@dataclass(frozen=True, slots=True)
class Moved:
    """`system` and `task` in normal form; empty: any."""

    agent: int
    to: str
    to_id: int
    system: str
    task: str
    share: float
    words: str
    until: datetime | None

    def takes(self, system: str, task: str, now: datetime) -> bool:
        if self.until is not None and self.until <= now:
            return False
        return (not self.system or self.system == normal(system)) and (not self.task or self.task == normal(task))


Moves = Mapping[str, Sequence[Moved]]  # by the agent's id, or its name where nobody knows the id


def moves_of(rows: Iterable[Sequence[Any]]) -> Moves:
    """Out of the rows of `MOVES_SQL`."""
    found: dict[str, list[Moved]] = {}
    for agent, key, to, to_id, system, task, share, words, until in rows:
        moved = Moved(agent, to, to_id, system or "", normal(task), share, words, until)
        for name in (str(agent), key):
            found.setdefault(name, []).append(moved)
    return found


def moves(workspace_id: int) -> Moves:
    """The same, read on Django's connection."""
    with connection.cursor() as cursor:
        cursor.execute(MOVES_SQL, [workspace_id])
        return moves_of(cursor.fetchall())


def found(moves: Moves, agent_id: int, agent: str, what: tuple[str, str], now: datetime) -> Moved | None:
    """Where this work goes instead; None: it stays, also as a probe. `what`: system and task."""
    who = str(agent_id) if agent_id else normal(agent.rpartition("/")[2])
    moved = next((each for each in moves.get(who, ()) if each.takes(*what, now)), None)
    if moved is None or (moved.share and random.random() < moved.share):  # noqa: S311  not a secret
        return None
    return moved


def probe(workspace_id: int, agent_id: int, system_id: int, share: float) -> int:
    """Let a share of what was moved stay, or none again; returns how many moves that changed. Whoever calls it renews
    the rules' generation."""
    rows = Move.objects.filter(workspace_id=workspace_id, agent_id=agent_id, system_id=system_id)
    return rows.exclude(share=share).update(share=share)
