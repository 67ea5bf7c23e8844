"""Waiting by conditions, and promises of time on a machine that has other things to do too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

LONG_S = 90.0  # by then whatever was to happen will not


def came_true(condition: Callable[[], object], seconds: float = LONG_S, pause: float = 0.02) -> bool:
    """Whether it did, in time. Waiting ends with it, so a long time costs nothing where all is well."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return bool(condition())
        time.sleep(pause)
    return True


def allowed(seconds: float) -> float:
    """What a promise of so many seconds means here. It is made for a machine of one's own; this one is shared at least
    with the other processes of the suite."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * max(4.0, 3 * waiting)
