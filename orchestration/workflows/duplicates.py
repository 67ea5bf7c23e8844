"""Work that was done twice in a run: another agent made the same call with the same arguments, and nothing was changed
in between that could have made the answer another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from orchestration.lib.names import forms
from orchestration.workflows.story import Story, ToolCall

# How tools that only look are called, by any word of their name that stands first in it or after its prefix.
_LOOKS = frozenset(
    {"get", "list", "search", "find", "fetch", "lookup", "look", "read", "query", "check", "retrieve", "load", "show"}
    | {"view", "describe", "count", "verify", "validate", "inspect", "explain", "summarize", "summarise", "estimate"}
    | {"calculate", "compare"}
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A call and the one that repeats it, of another agent. Span ids; the time that the second one took for nothing."""

    tool: str
    system: str
    first: bytes
    again: bytes
    first_agent: tuple[str, str]  # application, agent
    again_agent: tuple[str, str]
    at_ns: int
    lost_ns: int


def duplicates(story: Story) -> list[Duplicate]:
    """In order of time. Calls whose arguments were not sent are not compared, and none that failed."""
    asked = {each.step.span_id: each.step.hints.get("call") for each in story.placed if each.step.hints}
    made: dict[tuple[str, object], ToolCall] = {}
    changed: dict[str, int] = {}  # when each system was last written to
    found = []
    for call in sorted(story.tool_calls, key=lambda each: each.at_ns):
        arguments = asked.get(call.span_id)
        key = (_bare(call.tool), arguments)
        first = made.get(key)
        if arguments is not None and call.ok:
            if first is None or changed.get(call.system, 0) > first.at_ns:
                made[key] = call
            elif _who(first) != _who(call):
                found.append(_repeated(first, call))
        if not looks(call.tool) and (first is None or _who(first) == _who(call)):
            changed[call.system] = call.at_ns
    return found


@lru_cache(maxsize=4096)
def _bare(tool: str) -> str:
    """Without the prefix of a server: agents may reach the same tool through different ones."""
    return forms(tool)[1]


@lru_cache(maxsize=4096)
def looks(tool: str) -> bool:
    """Whether a tool's name says that it only looks: `crm.get_customer`, `kb.search`, `LookupInvoice`."""
    own = re.split(r"__|[./:]", tool)[-1]
    words = [word.lower() for word in _WORDS.findall(own)]
    return bool(words) and (words[0] in _LOOKS or words[-1] in {"lookup", "search"})


def _who(call: ToolCall) -> tuple[str, str]:
    return call.application, call.agent


def _repeated(first: ToolCall, again: ToolCall) -> Duplicate:
    return Duplicate(
        again.tool,
        again.system,
        first.span_id,
        again.span_id,
        _who(first),
        _who(again),
        again.at_ns,
        again.duration_ns,
    )
