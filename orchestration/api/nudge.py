"""Tells the digest that there is something to do: one message per 100 ms at most, sent by a thread of its own. A broker
that is away delays nobody, since the clock's sweep finds what waits anyway."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog
from celery import current_app

PAUSE_S = 0.1
AFTER_FAILURE_S = 1.0
DIGEST = "orchestration.control.tasks.digest"

log = structlog.get_logger(__name__)


class Nudge:
    def __init__(self) -> None:
        self._wanted = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nudge")
        self._failing = False

    def want(self) -> None:
        self._wanted.set()

    async def send(self) -> None:
        """Wait until somebody wants it, send one message, and pause."""
        await self._wanted.wait()
        self._wanted.clear()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, _publish)
            self._failing = False
        except Exception as error:  # kombu's and redis' own, of many kinds
            if not self._failing:
                log.warning("nudge_failed", error=type(error).__name__)
            self._failing = True
        await asyncio.sleep(AFTER_FAILURE_S if self._failing else PAUSE_S)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _publish() -> None:
    current_app.send_task(DIGEST, expires=1.0, retry=False, ignore_result=True)
