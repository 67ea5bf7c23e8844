"""Plays many stories at once, in one thread.

A story is a generator: it yields the seconds it wants to wait, and goes on when they are over. The clock that its spans
read is the stage's, which stands at the moment the story asked for; so the same stories can be played live, or in no
time at all along a clock of their own.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Generator
from itertools import count

Story = Generator[float, None, None]
LATE_NS = 5_000_000_000


class Stage:
    """`clock` tells the time in Unix nanoseconds; `pause` waits, and says whether to stop."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, Story]] = []
        self._order = count()
        self._now = clock()
        self.ending = False

    def now(self) -> int:
        return self._now

    def begin(self, story: Story, after_s: float = 0.0) -> None:
        heapq.heappush(self._heap, (self._now + int(after_s * 1e9), next(self._order), story))

    def play(self, pause: Callable[[float], bool]) -> None:
        """Play until `pause` says stop; then what is under way is brought to its end at once."""
        while self._heap and not self.ending:
            late = self._clock() - self._heap[0][0]
            if late < 0:
                self.ending = pause(-late / 1e9)
            elif late > LATE_NS:
                self._postpone(late)
            else:
                self._step()
        while self._heap:
            self._step()

    def rush(self, until_ns: int) -> None:
        """Play without waiting, along the stage's own clock, all that is due by then."""
        while self._heap and self._heap[0][0] <= until_ns:
            self._step()

    def _step(self) -> None:
        due, _, story = heapq.heappop(self._heap)
        self._now = min(due, self._clock()) if self.ending else due
        wait = next(story, None)
        if wait is not None:
            self.begin(story, max(0.0, wait))

    def _postpone(self, ns: int) -> None:
        """The machine slept: go on from here instead of making up for lost time."""
        self._heap = [(due + ns, order, story) for due, order, story in self._heap]
