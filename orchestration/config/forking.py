"""A Celery pool of no process at all: the worker forks one for each task and waits for it.

For a queue that is empty most of the time, and whose tasks need much memory when there are any: a child that waits for
work would take 14 MB to do nothing, and one that has worked keeps what it took.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from celery import signals
from celery.concurrency import solo
from celery.concurrency.base import apply_target

LONGEST_S = 1800  # after which a child is ended by the kernel


class TaskPool(solo.TaskPool):
    """One task at a time, each in a child of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_apply = _apply  # type: ignore[assignment]


def _apply(target: Callable[..., Any], args: Any = (), kwargs: Any = None, **more: Any) -> None:
    apply_target(lambda *a, **k: _forked(lambda: target(*a, **k)), args, kwargs or {}, **more)


def _forked(work: Callable[[], Any]) -> tuple[int, None, float]:
    """What Celery wants to hear of a task: that it has not failed, nothing, no time. How it went says its own row."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return 0, None, 0.0
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.alarm(LONGEST_S)
        signals.worker_process_init.send(sender=None)  # as any child of a worker: connections of its own, our end its
        work()
    finally:
        os._exit(0)
