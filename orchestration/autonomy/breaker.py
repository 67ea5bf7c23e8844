"""Acts on agents that run away: that go round in circles in a run, or spend more on one than they may. Within what an
admin allows it proposes to pause the agent, or pauses it and says so; a person reviews it and ends it with one press.

Looked for each time a run is told, in the transaction that tells it: while it goes on that is some seconds after its
newest span. One act for each agent and run, however often the run is told again.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Q

from orchestration.autonomy import limits, receipts
from orchestration.autonomy.aims import Aim
from orchestration.autonomy.limits import Allowed
from orchestration.autonomy.loops import Loop, loops
from orchestration.autonomy.models import OPEN, Action, Cause, Kind, Leave, State, Stop, Target
from orchestration.autonomy.ordering import Wish, order
from orchestration.lib.names import normal
from orchestration.workflows.booking import Names
from orchestration.workflows.models import Run
from orchestration.workflows.story import Step, Story

OLD_NS = 15 * 60 * 1_000_000_000  # what lies before that is history, and nobody is paused for it
BILLIONTHS = Decimal(10) ** 9


class Told(Protocol):
    """A run as told in this round."""

    story: Story
    steps: list[Step]
    run_id: UUID | None


@dataclass(frozen=True, slots=True)
class Runaway:
    """An agent that should be stopped, and why. `words` end in no full stop."""

    application: str
    agent: str
    words: str
    told: dict[str, Any]


def note(workspace_id: int, told: Sequence[Told], names: Sequence[Names]) -> int:
    """Act on what these runs show, in the caller's transaction; returns how many acts are new."""
    allowed = limits.remembered(workspace_id)
    if allowed.loops == Leave.OFF:
        return 0
    since = time.time_ns() - OLD_NS
    found = [
        (one.run_id, away, agent_id)
        for one, known in zip(told, names, strict=True)
        if one.run_id is not None and one.story.ended_ns > since
        for away in runaways(one.story, allowed, since)
        if (agent_id := known.agents.get((away.application, away.agent), (0, 0))[1])
    ]
    held = _held(workspace_id, {str(agent_id) for _, _, agent_id in found})
    return sum(_act(workspace_id, *each, allowed) for each in found if str(each[2]) not in held)


def runaways(story: Story, allowed: Allowed, since_ns: int = 0) -> Iterator[Runaway]:
    """The first reason for each agent."""
    seen: set[tuple[str, str]] = set()
    for loop in loops(story, allowed.repeats):
        who = loop.application, loop.agent
        if loop.last_ns >= since_ns and loop.agent and who not in seen:
            seen.add(who)
            yield Runaway(*who, _loop_words(loop), {"why": "loop", "tool": loop.tool, "calls": loop.calls})
    if allowed.spend is not None and story.cost is not None and story.cost > allowed.spend * BILLIONTHS:
        for who, spent in _spenders(story, allowed.spend):
            if who not in seen:
                yield Runaway(
                    *who, f"It spent {spent:.2f} in one run, where {allowed.spend:.2f} are allowed", {"why": "spend"}
                )


def _loop_words(loop: Loop) -> str:
    if loop.failing:
        return f"It tried {loop.tool} {loop.calls} times with the same arguments, and each failed"
    return (
        f"It called {loop.tool} {loop.calls} times with the same arguments in one run, and nothing had changed between"
    )


def _spenders(story: Story, most: Decimal) -> Iterator[tuple[tuple[str, str], Decimal]]:
    spent: dict[tuple[str, str], int] = {}
    for placed in story.placed:
        if placed.step.cost and placed.agent and not placed.repeats:
            who = placed.application, placed.agent
            spent[who] = spent.get(who, 0) + placed.step.cost
    for who, cost in spent.items():
        if cost > most * BILLIONTHS:
            yield who, cost / BILLIONTHS


def _held(workspace_id: int, agents: Collection[str]) -> set[str]:
    """Which of these agents are stopped, or somebody is asked whether they should be. Of all at once: who runs away
    does so in many runs."""
    if not agents:
        return set()
    on = Q(workspace_id=workspace_id, target_kind=Target.AGENT, target__in=agents)
    asked = Action.objects.filter(on, kind=Kind.PAUSE, state__in=(State.PROPOSED, *OPEN))
    return {*asked.values_list("target", flat=True), *Stop.objects.filter(on).values_list("target", flat=True)}


def _act(workspace_id: int, run_id: UUID, away: Runaway, agent_id: int, allowed: Allowed) -> int:
    key = f"runaway:{run_id}:{agent_id}:{away.told['why']}"
    if Action.objects.filter(workspace_id=workspace_id, key=key).exists() or _held(workspace_id, {str(agent_id)}):
        return 0
    if Run.objects.filter(workspace_id=workspace_id, id=run_id).exclude(cancelled_at=None).exists():
        return 0
    wish = Wish(
        Kind.PAUSE,
        receipts.BATON,
        key,
        away.words[:400],
        minutes=allowed.minutes,
        cause=Cause.FINDING,
        cause_id=f"run:{run_id}",
        told={**away.told, "run": str(run_id), "agent": normal(away.agent)},
    )
    order(workspace_id, wish, Aim(Target.AGENT, str(agent_id), away.agent), proposed=allowed.loops == Leave.PROPOSE)
    return 1
