"""The clock of holds. A message carries nothing: the rows say what is due."""

from __future__ import annotations

from celery import shared_task

from orchestration.holds import verdicts


@shared_task(ignore_result=True)
def sweep() -> int:
    return verdicts.apply_due() + verdicts.expire_due()
