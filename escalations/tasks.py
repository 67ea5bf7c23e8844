"""The clock's and the nudges' way in. Messages carry nothing: what is to do is found in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from escalations import intake


@shared_task(ignore_result=True)
def take_in() -> int:
    return intake.take_in()
