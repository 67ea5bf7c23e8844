"""A thread for what must keep nobody waiting. It is begun when it is first wanted, in each process anew, and lasts: a
thread for each time would cost more than what it does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class Beside:
    """`work` is called whenever somebody has woken the thread, and again after as many seconds as it answers; None: not
    before it is woken. It must not raise."""

    def __init__(self, name: str, work: Callable[[], float | None]) -> None:
        self._name, self._work = name, work
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._process = 0

    def wake(self) -> None:
        """Quick, from any thread."""
        if self._process != os.getpid():
            self._begin()
        self._woken.set()

    def _begin(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            self._woken = threading.Event()  # a fork has its parent's, and none of its threads
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
            self._process = os.getpid()

    def _run(self) -> None:
        wait: float | None = None
        while True:
            self._woken.wait(wait)
            self._woken.clear()
            wait = self._work()
