"""The clock's and the nudges' way in. Messages carry nothing: what is to do is found in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from orchestration.control import digest as digesting
from orchestration.control import keeping, settling
from orchestration.telemetry.rollups import roll_hours as roll
from orchestration.workflows.booking import TABLES
from orchestration.workspaces.models import Workspace


@shared_task(ignore_result=True)
def digest() -> int:
    return digesting.drain()


@shared_task(ignore_result=True)
def settle() -> int:
    return settling.settle_due()


@shared_task(ignore_result=True)
def sweep_stalled() -> int:
    return sum(settling.sweep_stalled(pk) for pk in Workspace.objects.values_list("pk", flat=True))


@shared_task(ignore_result=True)
def roll_hours() -> int:
    return roll(TABLES)


@shared_task(ignore_result=True)
def keep() -> int:
    return len(keeping.keep()["dropped"])
