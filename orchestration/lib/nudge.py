"""Tells a Celery task that there is something to do: a message at the begin of a burst, and one at its end.

It is only haste. The clock's sweep finds what waits, so a broker that is away delays nobody and loses nothing.
"""

from __future__ import annotations

import time

import structlog
from celery import current_app

from orchestration.lib.beside import Beside

AFTER_FAILURE_S = 1.0

log = structlog.get_logger(__name__)


class Nudge:
    """`task` is its name. At most one message in `spacing_s`; one that nobody took within `expires_s` is let go."""

    def __init__(self, task: str, *, spacing_s: float = 0.1, expires_s: float = 1.0) -> None:
        self._task, self._spacing_s, self._expires_s = task, spacing_s, expires_s
        self._beside = Beside(f"nudge {task}", self._send)
        self._failing = False

    def want(self) -> None:
        """To be called after the commit of what is to be done. Never waits, never raises."""
        self._beside.wake()

    def _send(self) -> None:
        try:
            current_app.send_task(self._task, expires=self._expires_s, retry=False, ignore_result=True)
            self._failing = False
        except Exception as error:  # kombu's and redis' own, of many kinds
            if not self._failing:
                log.warning("nudge_failed", task=self._task, error=type(error).__name__)
            self._failing = True
        time.sleep(AFTER_FAILURE_S if self._failing else self._spacing_s)
