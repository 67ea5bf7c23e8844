"""Keeps the circuits: every few seconds the figures of the last minutes are read, once for a workspace, and what turns
is changed by whoever comes first, with its receipt. Rows exist for circuits that were open once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.registry.models import Agent, System
from orchestration.routing.breakers import ENOUGH, Heard, Stand, Turn, turned
from orchestration.routing.models import Breaker, Cell, Circuit
from orchestration.telemetry.spans import Kind
from orchestration.workspaces.models import Workspace

BATON = "baton:routing"
CALLS = (Kind.LLM, Kind.TOOL, Kind.RETRIEVAL, Kind.EMBEDDING)
WINDOW = timedelta(minutes=10)
FAILED = 6  # fewer open nothing
STEPS: Mapping[str, str] = {Circuit.OPEN: "opened", Circuit.HALF: "half_opened", Circuit.CLOSED: "closed"}
AGAIN = int(Kind.AGAIN)
RECENT = f"""
select agent_id, system_id, at, n, least(n, errors), again from (
    select agent_id, system_id, at, sum(n) filter (where kind <> {AGAIN}) as n,
        sum(errors) filter (where kind <> {AGAIN}) as errors,
        coalesce(sum(errors) filter (where kind = {AGAIN}), 0) as again
    from telemetry_spanminute where workspace_id = %s and at >= %s and agent_id > 0 and system_id > 0
        and kind in ({", ".join(str(int(kind)) for kind in (*CALLS, Kind.AGAIN))}) group by 1, 2, 3
) counted where n > 0
"""

Path = tuple[int, int]  # agent and system


@dataclass(frozen=True, slots=True)
class Minute:
    """`again`: failures that were the fourth try of the same call, or a later one."""

    at: datetime
    n: int
    failures: int
    again: int = 0


def sweep(now: datetime | None = None) -> int:
    """All workspaces; returns how many circuits turned. Safe when two run."""
    return sum(sweep_one(pk, now or datetime.now(UTC)) for pk in Workspace.objects.values_list("pk", flat=True))


def sweep_one(workspace_id: int, now: datetime) -> int:
    minutes = recent(workspace_id, now)
    known = {(row.agent_id, row.system_id): row for row in Breaker.objects.filter(workspace_id=workspace_id)}
    failing = {path for path, found in minutes.items() if _many(found)}
    paths = sorted(failing | {path for path, row in known.items() if row.state != Circuit.CLOSED})
    usual = _usual(workspace_id, paths) if paths else {}
    done = 0
    for path in paths:
        row = known.get(path)
        heard = _heard(minutes.get(path, []), row, usual.get(path, 0.0), now)
        stand = _stand(row, minutes.get(path, [])) if row else None
        if turn := turned(stand, heard, now):
            done += change(workspace_id, path, row, turn, (now, _minute_of(minutes.get(path, []), now)))
    if done:
        publish(workspace_id, "agent")
    return done


def recent(workspace_id: int, now: datetime) -> dict[Path, list[Minute]]:
    with connection.cursor() as cursor:
        cursor.execute(RECENT, [workspace_id, (now - WINDOW).replace(second=0, microsecond=0)])
        found: dict[Path, list[Minute]] = {}
        for agent, system, at, n, failures, again in cursor:
            minute = Minute(at, int(n), max(0, int(failures)), max(0, int(again)))
            found.setdefault((agent, system), []).append(minute)
    return found


def change(workspace_id: int, path: Path, row: Breaker | None, turn: Turn, when: tuple[datetime, Minute]) -> bool:
    """By whoever comes first, with its receipt. `when`: now, and what its minute has counted so far."""
    now, minute = when
    fields: dict[str, Any] = {
        "state": turn.state,
        "since": now,
        "until": turn.until,
        "opens": turn.opens,
        "base_n": minute.n,
        "base_failures": minute.failures,
        "n": turn.n,
        "failures": turn.failures,
        "words": turn.words[:300],
    }
    agent = Agent.objects.filter(workspace_id=workspace_id, pk=path[0]).first()
    system = System.objects.filter(workspace_id=workspace_id, pk=path[1]).first()
    if agent is None or system is None:
        return False
    if turn.state == Circuit.OPEN and (row is None or row.state == Circuit.CLOSED):
        fields["episode"] = (row.episode if row else 0) + 1
    try:
        with transaction.atomic():
            if row is None:
                Breaker.objects.create(workspace_id=workspace_id, agent=agent, system=system, **fields)
            elif not Breaker.objects.filter(pk=row.pk, fence=row.fence).update(fence=row.fence + 1, **fields):
                return False
            told = {"agent": agent.name, "system": system.name, "words": turn.words, "n": turn.n}
            told |= {"failures": turn.failures, "opens": turn.opens}
            told["until"] = turn.until.isoformat(timespec="seconds") if turn.until else None
            subject = "breaker", f"{agent.pk}:{system.pk}"
            entries.record(workspace_id, f"breaker.{STEPS[turn.state]}", subject, BATON, told, now)
    except IntegrityError:
        return False  # another sweep made the row
    return True


def _many(minutes: Iterable[Minute]) -> bool:
    """Whether there is anything to look at: most paths fail now and then."""
    return sum(minute.n for minute in minutes) >= ENOUGH and sum(minute.failures for minute in minutes) >= FAILED


def _stand(row: Breaker, minutes: Iterable[Minute]) -> Stand:
    n, failures = _after(minutes, row)
    return Stand(row.state, row.since, row.until, row.opens, n, failures)


def _after(minutes: Iterable[Minute], row: Breaker) -> tuple[int, int]:
    """What came since the state began: of its own minute what that had not counted yet."""
    start = row.since.replace(second=0, microsecond=0)
    found = [minute for minute in minutes if minute.at >= start]
    own = any(minute.at == start for minute in found)
    n = sum(minute.n for minute in found) - (row.base_n if own else 0)
    failures = sum(minute.failures for minute in found) - (row.base_failures if own else 0)
    return max(0, n), max(0, min(n, failures))


def _heard(minutes: list[Minute], row: Breaker | None, usual: float, now: datetime) -> Heard:
    """The windows of one, two and ten minutes; of a circuit that was closed again only what came after."""
    minute = now.replace(second=0, microsecond=0)
    windows = []
    for back in (0, 1, 10):
        since = minute - timedelta(minutes=back)
        if row is not None and row.since >= since:
            windows.append(_after(minutes, row))
        else:
            found = [each for each in minutes if each.at >= since]
            windows.append((sum(each.n for each in found), sum(each.failures for each in found)))
    lately = max(minute - timedelta(minutes=1), row.since if row is not None else minute - WINDOW)
    return Heard(tuple(windows), usual, sum(each.again for each in minutes if each.at >= lately))


def _minute_of(minutes: Iterable[Minute], now: datetime) -> Minute:
    at = now.replace(second=0, microsecond=0)
    return next((minute for minute in minutes if minute.at == at), Minute(at, 0, 0))


def _usual(workspace_id: int, paths: Iterable[Path]) -> dict[Path, float]:
    """By what was measured before: share that fails."""
    agents = {agent for agent, _ in paths}
    found: dict[Path, list[float]] = {}
    cells = Cell.objects.filter(workspace_id=workspace_id, agent_id__in=agents, system__isnull=False)
    for cell in cells:
        if cell.system_id is not None:
            sums = found.setdefault((cell.agent_id, cell.system_id), [0.0, 0.0])
            sums[0] += cell.sure
            sums[1] += cell.sure * (1 - cell.mean)
    return {path: sums[1] / sums[0] for path, sums in found.items() if sums[0]}
