"""Python's collector of cycles, held off while much is made that holds no cycle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """While tens of thousands of plain values are made, each round of the collector looks at all of them for nothing:
    a third of the time. Two threads that pause at once may end it early for each other, which costs time only."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
