"""When each agent was last heard, and what is usual for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

# A gap of g seconds is counted at place 1 + log2(g) of `gaps` (below a second: 1), up to 2^22 s, about 48 days.
PLACES = 24
STILL_S = 1.0  # heard again within this time: the same burst, no gap
PAST_S = 900.0  # what is older than this at receipt wakes nobody


@dataclass(slots=True)
class Heard:
    """The newest sign of an agent in a batch: server time of receipt, and its newest step."""

    received_at: datetime
    trace_id: bytes
    step: str
    step_at: datetime
    started: int = 0  # the same, Unix microseconds


def hear(workspace_id: int, heard: Mapping[int, Heard]) -> None:
    """Book signs of life. An agent heard within the last second is left alone, so that hot agents cost nothing."""
    if not heard:
        return
    agents = sorted(heard)
    values: list[Any] = [
        workspace_id,
        agents,
        [heard[a].received_at for a in agents],
        [heard[a].trace_id for a in agents],
        [heard[a].step[:200] for a in agents],
        [heard[a].step_at for a in agents],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            insert into telemetry_pulse as p (workspace_id, agent_id, heard_at, trace_id, step, step_at, gaps)
            select %s, a, h, t, s, sa, array_fill(0, array[{PLACES}])
            from unnest(%s::int[], %s::timestamptz[], %s::bytea[], %s::text[], %s::timestamptz[]) as x(a, h, t, s, sa)
            order by a
            on conflict (workspace_id, agent_id) do update set
                heard_at = greatest(p.heard_at, excluded.heard_at), trace_id = excluded.trace_id,
                step = excluded.step, step_at = excluded.step_at,
                gaps[{_PLACE}] = p.gaps[{_PLACE}] + 1
            where excluded.heard_at > p.heard_at + interval '{STILL_S} s'
            """,
            values,
        )


_PLACE = f"least({PLACES}, 1 + ceil(log(2.0, greatest(1.0, extract(epoch from excluded.heard_at - p.heard_at))))::int)"


def usual_gap_s(gaps: list[int], q: float = 0.99) -> float | None:
    """The q-quantile of an agent's gaps in seconds (upper bound of its place); None below 100 gaps."""
    total = sum(gaps)
    if total < 100:
        return None
    seen = 0
    for place, count in enumerate(gaps):
        seen += count
        if seen >= q * total:
            return float(2**place)
    return float(2 ** (PLACES - 1))
