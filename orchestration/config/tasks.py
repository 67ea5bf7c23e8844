"""Sweeps that are due together, in one message: sending and taking one costs more than most of them do."""

from __future__ import annotations

import structlog
from celery import current_app, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import close_old_connections

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True)
def sweep(names: list[str]) -> int:
    """How many of the tasks called `names` went well. One that fails is written down, and the others go on."""
    return sum(_went_well(name) for name in names)


def _went_well(name: str) -> bool:
    try:
        current_app.tasks[name].run()
    except SoftTimeLimitExceeded:
        raise  # the time of all of them is over
    except Exception:
        log.exception("sweep failed", task=name)
        close_old_connections()
        return False
    return True
