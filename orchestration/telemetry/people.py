"""Tools by which an agent asks a person. A person is no system: such a call is an escalation and counts to none."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

from orchestration.lib.names import forms

# Shell-like, matched without case, `-` and `_` being equal, also against the last part of a name with a prefix
MOST = 4096  # names remembered; beyond that all are forgotten
ASKS = ("escalate*", "*human*", "request_approval*")


class _Fits(dict[str, bool]):
    """Whether tools fit one of the patterns, remembered."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        super().__init__()
        self.patterns = patterns

    def __missing__(self, tool: str) -> bool:
        if len(self) >= MOST:
            self.clear()
        fits = self[tool] = any(fnmatchcase(form, pattern) for pattern in self.patterns for form in forms(tool))
        return fits


@lru_cache(maxsize=64)
def fitting(patterns: tuple[str, ...]) -> Mapping[str, bool]:
    """By a tool's name: whether that, or its part after a prefix, fits one of the patterns. For who asks often."""
    return _Fits(patterns)


def matches(tool: str, patterns: tuple[str, ...]) -> bool:
    """The same for one tool."""
    return fitting(patterns)[tool]
