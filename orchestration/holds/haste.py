"""Says that a hold has been opened or has changed, to whoever turns holds into cases. Only haste: the sweep finds it.

Which task that is stands in the settings, since this room does not know the screens. A burst is one message at its
begin and one at its end.
"""

from __future__ import annotations

import threading
import time

import structlog
from celery import current_app
from django.conf import settings

SPACING_S = 0.1

log = structlog.get_logger(__name__)
_lock = threading.Lock()
_state = {"sent": -SPACING_S, "held": 0.0}


def hasten() -> None:
    """Never raises, and waits for the broker at most. To be called after the commit, from a thread that may wait."""
    now = time.monotonic()
    with _lock:
        if _state["held"]:
            return
        wait = _state["sent"] + SPACING_S - now
        if wait > 0:
            _state["held"] = 1.0
        else:
            _state["sent"] = now
    if wait <= 0:
        _send()
        return
    timer = threading.Timer(wait, _send_held)
    timer.daemon = True
    timer.start()


def _send_held() -> None:
    with _lock:
        _state.update(sent=time.monotonic(), held=0.0)
    _send()


def _send() -> None:
    try:
        current_app.send_task(settings.HOLDS_TASK, expires=1.0, retry=False, ignore_result=True)
    except Exception as error:  # kombu's and redis' own, of many kinds
        log.warning("nudge_failed", error=type(error).__name__)
