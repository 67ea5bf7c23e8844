"""The clock of handoffs. A message carries nothing: the rows say what is due."""

from __future__ import annotations

from celery import shared_task

from orchestration.handoffs import returning, sending, settling


@shared_task(ignore_result=True)
def sweep() -> int:
    return sending.expire_due() + returning.give_up_silent() + settling.settle()
