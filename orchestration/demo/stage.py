"""Plays many stories at once, in one thread.

A story is a generator: it yields the seconds it wants to wait, and goes on when they are over. The clock that its spans
read is the stage's, which stands at the moment the story asked for, and the ids they get are drawn from the story's own
chance; so the same stories can be played live, or in no time at all, and tell the very same.
"""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable, Generator
from inspect import GEN_CREATED, getgeneratorstate
from itertools import count
from random import Random

Story = Generator[float, None, None]
ASLEEP_NS = 120_000_000_000  # so late the machine must have slept, or been stopped


class Stage:
    """`clock` tells the time in Unix nanoseconds."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self.clock = clock
        self._heap: list[tuple[int, int, Story, Random | None]] = []
        self._order = count()
        self._now = clock()
        self._ids: Random | None = None
        self.ending = False

    def now(self) -> int:
        return self._now

    def entropy(self, n: int) -> bytes:
        """Bytes for ids: of the story that is being played."""
        return self._ids.randbytes(n) if self._ids else os.urandom(n)

    def begin(self, story: Story, at_ns: int | None = None, ids: Random | None = None) -> None:
        """Without `ids` it is one that goes on for ever, such as whoever begins the others."""
        heapq.heappush(self._heap, (self._now if at_ns is None else at_ns, next(self._order), story, ids))

    def play(self, pause: Callable[[float], bool], *, to_the_end: bool = True) -> bool:
        """Play until `pause`, which waits, says stop; true when instead the machine turns out to have slept. What is
        under way at a stop, save what goes on for ever, is brought to its end at once, or left as it is."""
        while self._heap and not self.ending:
            late = self.clock() - self._heap[0][0]
            if late > ASLEEP_NS:
                return True
            if late >= 0:
                self._step()
            else:
                self.ending = pause(-late / 1e9)
        self._heap = [each for each in self._heap if to_the_end and each[3] and begun(each[2])]
        heapq.heapify(self._heap)
        while self._heap:
            self._step()
        return False

    def rush(self, until_ns: int) -> None:
        """Play without waiting, along the stage's own clock, all that is due by then."""
        while self._heap and self._heap[0][0] <= until_ns:
            self._step()

    def clear(self) -> None:
        """Forget what is under way."""
        self._heap.clear()

    def _step(self) -> None:
        due, _, story, self._ids = heapq.heappop(self._heap)
        self._now = min(due, self.clock()) if self.ending else due
        wait = next(story, None)
        if wait is not None:
            self.begin(story, self._now + max(0, int(wait * 1e9)), self._ids)


def begun(story: Story) -> bool:
    return getgeneratorstate(story) != GEN_CREATED
