"""Calls that go round in circles: the same agent asks the same tool the same thing again and again in one run. Pure.

What looks like one and is none:
- another try after a failure; only twice as many of those are a loop
- looking again after something was changed: a call that changes things and was not made before ends the count of all
  calls that only look
- waiting: the same call after a pause in which nothing was thought; a second is one where the tool's name says that it
  is there to be asked again (status, poll, wait …)
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from orchestration.lib.names import forms
from orchestration.telemetry.spans import LLM
from orchestration.workflows.duplicates import looks
from orchestration.workflows.story import Story, ToolCall

POLLED = frozenset(
    {"status", "poll", "wait", "await", "progress", "sleep", "ping", "heartbeat", "watch", "tick", "state"}
)
POLLED_NS = 1_000_000_000  # a pause before such a tool is asked again
PAUSE_NS = 15_000_000_000  # … any other, beside the time that its agent spent on thinking
PATIENCE = 15  # times the limit: so often a call may be made with pauses
FAILING = 2  # times the limit: so often a call may be tried that fails
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

Key = tuple[str, str, str, Any]


@dataclass(frozen=True, slots=True)
class Loop:
    """`at_ns`: of the call with which it became one; `last_ns`: of the newest."""

    application: str
    agent: str
    tool: str
    arguments: str
    calls: int
    failing: bool
    at_ns: int
    last_ns: int
    span_id: bytes


@dataclass(slots=True)
class _Count:
    """`streak`: how many of them came without a pause before the next."""

    calls: int = 0
    streak: int = 0
    ended_ns: int = 0


def loops(story: Story, least: int = 4) -> list[Loop]:
    """One for each call that goes in circles, in the order in which they began to."""
    if len(story.tool_calls) < least:
        return []
    asked = {each.step.span_id: each.step.hints.get("call") for each in story.placed if each.step.hints}
    times = Counter(asked.get(call.span_id) for call in story.tool_calls)
    del times[None]
    if max(times.values(), default=0) < least:  # as in nearly every run: nothing was asked so often
        return []
    thinking = _Thinking(story)
    found: dict[Key, Loop] = {}
    good: dict[Key, _Count] = {}
    bad: dict[Key, _Count] = {}
    for call in sorted(story.tool_calls, key=lambda each: each.at_ns):
        arguments = asked.get(call.span_id)
        if arguments is None or (times[arguments] < least and looks(call.tool)):
            continue
        key = (call.application, call.agent, _bare(call.tool), arguments)
        if not looks(call.tool) and call.ok and key not in good:
            _start_anew(good)
        counts = good if call.ok else bad
        count = counts.get(key)
        if count is None:
            count = counts[key] = _Count()
        _add(count, call, thinking)
        limit = least if call.ok else least * FAILING
        if count.streak >= limit or count.calls >= limit * PATIENCE:
            found[key] = _loop(call, key, count, found.get(key))
    return sorted(found.values(), key=lambda loop: loop.at_ns)


class _Thinking:
    """When each agent asked its model. Put together only where somebody seems to wait."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._times: dict[tuple[str, str], list[tuple[int, int]]] | None = None

    def between(self, call: ToolCall, since_ns: int) -> int:
        """How much of the time before a call its agent spent on that."""
        if self._times is None:
            self._times = {}
            for p in [placed for placed in self._story.placed if placed.kind is LLM]:
                self._times.setdefault((p.application, p.agent), []).append((p.step.start_ns, p.step.end_ns))
        mine = self._times.get((call.application, call.agent), ())
        times = ((max(start, since_ns), min(end, call.at_ns)) for start, end in mine)
        return sum(end - start for start, end in times if end > start)


def _add(count: _Count, call: ToolCall, thinking: _Thinking) -> None:
    gap, pause = call.at_ns - count.ended_ns, POLLED_NS if polled(call.tool) else PAUSE_NS
    rested = gap >= pause
    if rested and pause == PAUSE_NS and count.calls:
        rested = gap - thinking.between(call, count.ended_ns) >= pause
    count.calls += 1
    count.streak = 1 if rested else count.streak + 1
    count.ended_ns = max(count.ended_ns, call.at_ns + call.duration_ns)


def _start_anew(counts: dict[Key, _Count]) -> None:
    """Something has changed: what only looks may look again."""
    for key in [key for key in counts if looks(key[2])]:
        del counts[key]


def _loop(call: ToolCall, key: Key, count: _Count, before: Loop | None) -> Loop:
    began = before.at_ns if before else call.at_ns
    last = call.at_ns
    return Loop(
        call.application, call.agent, call.tool, str(key[3]), count.calls, not call.ok, began, last, call.span_id
    )


@lru_cache(maxsize=4096)
def polled(tool: str) -> bool:
    """Whether a tool's name says that it is there to be asked again."""
    return not POLLED.isdisjoint(word.lower() for word in _WORDS.findall(tool))


@lru_cache(maxsize=4096)
def _bare(tool: str) -> str:
    """Without the prefix of a server: it is the same tool."""
    return forms(tool)[1]
