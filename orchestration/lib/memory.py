"""Gives memory back that large bodies and large batches took.

glibc keeps what was freed, in a heap for each thread, in case it is needed again: after a dozen bodies of 20 MiB at
once the process stayed at four times its size. Where the C library is another one nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of malloc.h
LARGE = 256 << 10


def keep_little() -> None:
    """From now on few heaps, and pieces that are large are returned when they are freed."""
    mallopt = _of_libc("mallopt")
    for parameter, value in ((ARENA_MAX, 2), (MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, 4 * LARGE)):
        mallopt(parameter, value)


def give_back() -> None:
    """Return what is free now, the small pieces too. Takes milliseconds."""
    _of_libc("malloc_trim")(0)


class Rests:
    """Gives back when work has ended, at most once in `each_s` seconds, and only where there was some."""

    def __init__(self, each_s: float) -> None:
        self._each_s, self._done, self._at = each_s, 0, 0.0

    def after(self, done: int) -> None:
        self._done += done
        if self._done and time.monotonic() >= self._at + self._each_s:
            give_back()
            self._done, self._at = 0, time.monotonic()


def _of_libc(name: str) -> Callable[..., int]:
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    return found or (lambda *_: 0)
