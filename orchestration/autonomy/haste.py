"""Says that there is something to do. Only haste: the clock's sweep finds what waits."""

from __future__ import annotations

import structlog
from celery import current_app

TASK = "orchestration.autonomy.tasks.carry_out"

log = structlog.get_logger(__name__)


def hasten() -> None:
    """Never raises. To be called after the commit."""
    try:
        current_app.send_task(TASK, expires=5.0, retry=False, ignore_result=True)
    except Exception as error:  # kombu's and redis' own, of many kinds
        log.warning("nudge_failed", error=type(error).__name__)
