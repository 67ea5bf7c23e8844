"""The clock's and the nudges' way in. Messages carry nothing: what is to do is found in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from orchestration.control import clocks, coordinating, firing, keeping, pauses, replaying, settling, shadows, signals
from orchestration.control import digest as digesting
from orchestration.telemetry.rollups import roll_hours as roll
from orchestration.workflows import kept_trails
from orchestration.workflows.booking import TABLES
from orchestration.workspaces.models import Workspace

REPLAY_S = 1800  # longer than all that may wait takes


@shared_task(ignore_result=True)
def digest() -> int:
    return digesting.drain()


@shared_task(ignore_result=True)
def sweep_stalled() -> int:
    return sum(settling.sweep_stalled(pk) for pk in Workspace.objects.values_list("pk", flat=True))


@shared_task(ignore_result=True)
def roll_hours() -> int:
    return roll(TABLES)


@shared_task(ignore_result=True)
def keep() -> int:
    return len(keeping.keep()["dropped"])


@shared_task(ignore_result=True, acks_late=False, soft_time_limit=REPLAY_S, time_limit=REPLAY_S + 60)
def replay() -> int:
    """On a queue of its own, since it may take a minute. Acknowledged at once: the rows say what is left to do."""
    return replaying.work()


@shared_task(ignore_result=True)
def sweep_pauses() -> int:
    return pauses.sweep()


@shared_task(ignore_result=True)
def sweep_replays() -> int:
    return replaying.sweep()


@shared_task(ignore_result=True)
def sweep_shadows() -> int:
    return shadows.sweep()


@shared_task(ignore_result=True, soft_time_limit=60, time_limit=90)
def sweep_signals() -> int:
    return signals.sweep()


@shared_task(ignore_result=True)
def drive() -> int:
    """The clocks of declared workflows."""
    return clocks.sweep()


@shared_task(ignore_result=True, soft_time_limit=60, time_limit=90)
def fire() -> int:
    """What triggers of declared workflows start."""
    return firing.sweep()


@shared_task(ignore_result=True, soft_time_limit=60, time_limit=90)
def sweep_trails() -> int:
    """What was done in runs that are over, for learning and conformance."""
    return kept_trails.sweep()


@shared_task(ignore_result=True, soft_time_limit=60, time_limit=90)
def sweep_coordination() -> int:
    """What agents get in each other's way with, in workflows where it is counted."""
    return coordinating.sweep()
