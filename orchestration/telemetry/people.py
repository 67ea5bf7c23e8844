"""Tools by which an agent asks a person. A person is no system: such a call is an escalation and counts to none."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache

from orchestration.lib.names import forms

# Shell-like, matched without case, `-` and `_` being equal, also against the last part of a name with a prefix
ASKS = ("escalate*", "*human*", "request_approval*")


@lru_cache(maxsize=4096)
def matches(tool: str, patterns: tuple[str, ...]) -> bool:
    """Whether a tool's name, or its part after a prefix, fits one of the patterns."""
    return any(fnmatchcase(form, pattern) for pattern in patterns for form in forms(tool))
