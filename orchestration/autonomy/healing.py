"""Heals broken paths: when a circuit opens, its work is moved to an agent that does the same well, or that is proposed;
then it is looked whether that helps, the broken path is tried, and the work goes back. Each step is a receipt.

1. detect    an open circuit that no move stands for
2. move      to whom the figures say does this well, beyond doubt better; one act an episode, so that what a person took
             back is not done again
3. verify    the other's circuit opens too: it was not the agent, and the work goes back at once
4. probe     half open: a share of the work stays with the first agent; open again: none does
5. back      closed for the dwell, which doubles with each move of the last day: it does not go back and forth

Swept every few seconds; a sweep that is cut short, or runs twice, finds where things stand and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from orchestration.autonomy import ordering, receipts, stops
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.models import OPEN, Action, Cause, Kind, State, Target
from orchestration.autonomy.ordering import Wish
from orchestration.ledger import entries
from orchestration.lib.names import normal
from orchestration.lib.pulse import publish
from orchestration.lib.stats import wilson
from orchestration.policies import live
from orchestration.registry.models import Agent, System
from orchestration.routing import limits
from orchestration.routing.choose import interval, pooled
from orchestration.routing.limits import May
from orchestration.routing.models import Breaker, Cell, Circuit, Healing, Move, Slice
from orchestration.routing.moves import PROBES, probe
from orchestration.workspaces.models import Workspace

ENOUGH = 30  # calls that somebody who takes over has made there
DAY = timedelta(days=1)
MOST_DWELL = timedelta(hours=4)
BROKEN = (Circuit.OPEN, Circuit.HALF)


@dataclass(frozen=True, slots=True)
class Fallback:
    """Who takes over, and what is measured of it there."""

    slug: str
    name: str
    mean: float
    low: float
    high: float
    n: int


def sweep(now: datetime | None = None) -> int:
    """All workspaces that have what could be healed; returns how many steps were taken."""
    here = Q(workspace_id=OuterRef("pk"))
    some = Workspace.objects.filter(Exists(Breaker.objects.filter(here)) | Exists(Slice.objects.filter(here)))
    return sum(heal(pk, now or datetime.now(UTC)) for pk in some.values_list("pk", flat=True))


def heal(workspace_id: int, now: datetime) -> int:
    may = limits.bounds(workspace_id)
    rows = list(Breaker.objects.filter(workspace_id=workspace_id).select_related("agent", "system"))
    mine = _mine(workspace_id)
    done = _end_proposals(workspace_id, rows) + propose_for_slices(workspace_id, may)
    if not rows or (may.healing == Healing.OFF and not mine):
        return done
    for row in rows:
        move = mine.get((row.agent_id, row.system_id))
        if move is not None:
            done += _tend(row, move, rows, may, now)
        elif row.state == Circuit.OPEN and may.healing != Healing.OFF:
            done += _move(row, rows, may)
    if done:
        publish(workspace_id, "agent")
    return done


def propose_for_slices(workspace_id: int, may: May) -> int:
    """What is proven worse: its work goes to who does it better, where that can be told apart by system or act; else a
    check is asked for. At most once a day for each, and not while one waits for its answer: asked again each midnight,
    a question is two. A move that nobody has agreed to lasts a day."""
    done = 0
    unanswered = set(
        Action.objects.filter(Q(state__in=(State.PROPOSED, *OPEN)) | Q(waits=True), workspace_id=workspace_id)
        .filter(cause=Cause.FINDING, cause_id__startswith="slice:")
        .values_list("cause_id", flat=True)
    )
    for row in Slice.objects.filter(workspace_id=workspace_id) if may.healing != Healing.OFF else ():
        named = row.named
        agent = Agent.objects.filter(workspace_id=workspace_id, slug=named.get("agent", "")).first()
        key = f"slice:{row.pk}:{row.at:%Y%m%d}"
        if agent is None or f"slice:{row.pk}" in unanswered:
            continue
        if Action.objects.filter(workspace_id=workspace_id, key=key).exists():
            continue
        share = f"{row.failures:,} of {row.n:,} cases failed, against {row.rest_failures:,} of {row.rest:,} others"
        other = _instead(workspace_id, agent, named)
        told: dict[str, Any] = {"about": {"question": f"{share}: what is wrong with {agent.name} there?"}}
        if other is not None:
            told = {"about": {"to": other.slug, "system": named.get("system", ""), "task": named.get("act", "")}}
        kind, minutes = (Kind.REROUTE, 1440) if other else (Kind.VERIFY, None)
        wish = Wish(kind, receipts.BATON, key, share, minutes, Cause.FINDING, f"slice:{row.pk}", told)
        proposed = other is None or may.healing == Healing.PROPOSE
        ordering.order(workspace_id, wish, Aim(Target.AGENT, str(agent.pk), agent.name), proposed=proposed)
        done += 1
    return done


def _instead(workspace_id: int, agent: Agent, named: Mapping[str, str]) -> Fallback | None:
    """Who does this work surely better; nobody where the slice has traits by which work cannot be moved."""
    if not named.keys() - {"agent"} or named.keys() - {"agent", "system", "act"}:
        return None
    system = System.objects.filter(workspace_id=workspace_id, key=normal(named.get("system", ""))).first()
    row = Cell.objects.filter(workspace_id=workspace_id, agent=agent, system=system) if system else Cell.objects.none()
    own = _fallback(list(row.select_related("agent"))) if row else None
    if system is None or own is None:
        return None
    stands = Breaker(
        workspace_id=workspace_id, agent=agent, system=system, n=own.n, failures=round(own.n * (1 - own.mean))
    )
    return fallback(stands, list(Breaker.objects.filter(workspace_id=workspace_id)))


def dwell(moves: int, may: May) -> timedelta:
    """How long a circuit is closed before its work goes back, after so many moves of the last day."""
    return min(MOST_DWELL, timedelta(minutes=may.dwell_minutes * 2.0 ** min(10, max(0, moves - 1))))


def _mine(workspace_id: int) -> dict[tuple[int, int], Move]:
    """What healing itself moved, by agent and system."""
    moves = Move.objects.filter(workspace_id=workspace_id, system__isnull=False, task="").select_related("to")
    found = {row.action: row for row in moves}
    ordered = Action.objects.filter(pk__in=list(found), by=receipts.BATON).values_list("pk", flat=True)
    rows = [found[pk] for pk in ordered]
    return {(row.agent_id, row.system_id): row for row in rows if row.system_id is not None}


def _move(row: Breaker, rows: Sequence[Breaker], may: May) -> int:
    key = f"heal:{row.pk}:{row.episode}"
    known = Action.objects.filter(workspace_id=row.workspace_id, key=key).exists()
    moved = Move.objects.filter(workspace_id=row.workspace_id, agent=row.agent_id)
    if known or moved.filter(system=None).exists() or moved.filter(system=row.system_id).exists():
        return 0
    other = fallback(row, rows)
    if other is None:
        return 0
    low, high = wilson(row.n - row.failures, row.n) or (0.0, 1.0)
    reason = (
        f"{(row.n - row.failures) / max(1, row.n):.0%} of its last calls on {row.system.name[:80]} succeeded "
        f"({low:.0%} to {high:.0%}, n={row.n}), against {other.mean:.0%} of those of {other.name[:80]} "
        f"({other.low:.0%} to {other.high:.0%}, n={other.n})"
    )
    about = {"to": other.slug, "system": row.system.slug, "task": ""}
    wish = Wish(
        Kind.REROUTE,
        receipts.BATON,
        key,
        reason,
        cause=Cause.FINDING,
        cause_id=f"breaker:{row.pk}",
        told={"about": about, "breaker": row.pk},
    )
    aim = Aim(Target.AGENT, str(row.agent_id), row.agent.name)
    ordering.order(row.workspace_id, wish, aim, proposed=may.healing == Healing.PROPOSE)
    return 1


def fallback(row: Breaker, rows: Sequence[Breaker]) -> Fallback | None:
    """The best that is surely better there: it made calls enough, nothing stops it, its own path is sound, and no work
    of its own is moved away."""
    barred = {each.agent_id for each in rows if each.system_id == row.system_id and each.state in BROKEN}
    for kind in (Kind.QUARANTINE, Kind.PAUSE):
        barred |= stops.agents_stopped(row.workspace_id, kind)
    barred |= set(Move.objects.filter(workspace_id=row.workspace_id).values_list("agent_id", flat=True))
    cells: dict[int, list[Cell]] = {}
    measured = Cell.objects.filter(workspace_id=row.workspace_id, system=row.system_id).select_related("agent")
    for cell in measured.exclude(agent_id__in=barred | {row.agent_id}):
        cells.setdefault(cell.agent_id, []).append(cell)
    now_at_best = (wilson(row.n - row.failures, row.n) or (0.0, 1.0))[1]
    found = [made for each in cells.values() if (made := _fallback(each)).n >= ENOUGH and made.low > now_at_best]
    return max(found, key=lambda each: each.low, default=None)


def _fallback(cells: Sequence[Cell]) -> Fallback:
    alpha, beta, n, _ = pooled([(cell.alpha, cell.beta, cell.n, cell.failures) for cell in cells])
    agent = cells[0].agent
    return Fallback(agent.slug, agent.name, alpha / (alpha + beta), *interval(alpha, beta), n)


def _tend(row: Breaker, move: Move, rows: Sequence[Breaker], may: May, now: datetime) -> int:
    """What healing moved: verified, probed, given back."""
    theirs = next((each for each in rows if (each.agent_id, each.system_id) == (move.to_id, row.system_id)), None)
    if theirs is not None and theirs.state == Circuit.OPEN:
        return _back(row, move, f"{move.to.name} fails there too, so that moving it helps nobody.")
    if row.state == Circuit.OPEN:
        return _share(row, move, 0.0, now)
    if row.state == Circuit.HALF:
        return _share(row, move, PROBES, now)
    if now - row.since < dwell(_moves(row, now), may):
        return 0
    return _back(row, move, f"It has recovered: {row.words}, and no failure beyond the usual since.")


def _share(row: Breaker, move: Move, share: float, now: datetime) -> int:
    """So much of the work goes to the first agent again; in force with the commit."""
    if row.system_id is None or move.share == share:
        return 0
    with transaction.atomic():
        if not probe(row.workspace_id, row.agent_id, row.system_id, share):
            return 0
        live.renew([row.workspace_id])
        told = {"agent": row.agent.name, "system": row.system.name, "share": str(share), "why": row.words}
        step = "healing.probing" if share else "healing.waits"
        entries.record(row.workspace_id, step, ("action", str(move.action)), receipts.BATON, told, now)
    return 1


def _back(row: Breaker, move: Move, reason: str) -> int:
    moved = Action.objects.filter(workspace_id=row.workspace_id, pk=move.action).first()
    key = f"heal-back:{move.action}"
    if Action.objects.filter(workspace_id=row.workspace_id, key=key).exists():
        return 0
    wish = Wish(Kind.RESTORE, receipts.BATON, key, reason, cause=Cause.FINDING, cause_id=f"breaker:{row.pk}")
    ordering.order(row.workspace_id, wish, Aim(Target.AGENT, str(row.agent_id), row.agent.name), undoes=moved)
    return 1


def _moves(row: Breaker, now: datetime) -> int:
    acts = Action.objects.filter(workspace_id=row.workspace_id, kind=Kind.REROUTE, cause_id=f"breaker:{row.pk}")
    return acts.filter(created_at__gt=now - DAY).count()


def _end_proposals(workspace_id: int, rows: Sequence[Breaker]) -> int:
    """What was proposed is not needed any more once the path works again."""
    sound: Mapping[str, Breaker] = {f"breaker:{row.pk}": row for row in rows if row.state == Circuit.CLOSED}
    waiting = Action.objects.filter(
        workspace_id=workspace_id, kind=Kind.REROUTE, state=State.PROPOSED, cause_id__in=list(sound)
    )
    return sum(ordering.decline(action, receipts.BATON, "It recovered by itself.") for action in waiting)
