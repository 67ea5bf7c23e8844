"""The worker's way in. A message carries nothing: what is to be done stands in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from orchestration.autonomy import healing, work


@shared_task(ignore_result=True)
def carry_out() -> int:
    return work.carry_out()


@shared_task(ignore_result=True)
def heal() -> int:
    return healing.sweep()
