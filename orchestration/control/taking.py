"""Whether an agent may take work on now, or pass it on: asked of claims and of handoffs as it is of leases. What it has
in hand it may still finish, or give back."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from orchestration.autonomy.stops import Stopped as Stop
from orchestration.autonomy.stops import Stops
from orchestration.control import facts
from orchestration.control.driving import Stopped
from orchestration.control.in_force import in_force
from orchestration.handoffs.given import Speaker


class Barred(Stopped):
    """`kind`: quarantine, pause or cancel."""

    def __init__(self, stop: Stop, now: datetime) -> None:
        super().__init__(stop.words, stop.again_s(now) if stop.passes else 0)
        self.kind = stop.kind


def free(speaker: Speaker, agent: str, run: str) -> None:
    """Raises Barred: the agent, the run or the run's workflow is stopped."""
    standing, now = in_force(speaker.workspace_id).stops, timezone.now()
    if not standing:
        return
    found = standing.found(known(speaker, agent), agent, run, now) or _of_workflow(standing, speaker, run, now)
    if found:
        raise Barred(found, now)


def known(speaker: Speaker, agent: str) -> int:
    """The agent's id; 0 where nobody vouches for the application that is named: then a stop of any agent of that name
    counts, or who is stopped would only have to name another one."""
    if not speaker.vouches(agent):
        return 0
    who = facts.who(speaker.workspace_id, agent) or facts.look_up(speaker.workspace_id, agent)
    return who.agent_id


def _of_workflow(standing: Stops, speaker: Speaker, run: str, now: datetime) -> Stop | None:
    """The run's workflow is looked up while one is paused."""
    if not standing.workflows:
        return None
    told = facts.run_facts(speaker.workspace_id, run)
    return standing.of_workflow(str(told.get("run.workflow") or ""), now)
