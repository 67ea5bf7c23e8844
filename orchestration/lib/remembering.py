"""What is looked up many times a second and may be some seconds old, kept in the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """At most `most` things, each for `fresh_s`. Past that all are forgotten: ever new ones fill nothing."""

    def __init__(self, fresh_s: float, most: int = 5_000) -> None:
        self._fresh_s, self._most = fresh_s, most
        self._known: dict[K, tuple[float, V]] = {}

    def of(self, key: K, look: Callable[[], V]) -> V:
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        value = look()
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[key] = time.monotonic() + self._fresh_s, value
        return value

    def drop(self, key: K) -> None:
        self._known.pop(key, None)

    def clear(self) -> None:
        self._known.clear()
