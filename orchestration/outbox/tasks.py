"""The couriers. A message of the queue carries nothing: what is to be sent stands in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from orchestration.outbox import sweep


@shared_task(ignore_result=True)
def deliver() -> int:
    return sweep.deliver()


@shared_task(ignore_result=True)
def forget_old() -> int:
    return sweep.forget_old()
