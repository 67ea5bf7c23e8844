"""What a tool call tells beyond its name: its arguments, its answer, and what they may mean to the fold.

No argument is kept: a fingerprint tells repeated calls, and hashed values tell whether one names an agent. Of answers
only one that begins like a refusal is kept, in short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import orjson

from orchestration.lib.names import normal
from orchestration.telemetry.spans import Observed
from orchestration.telemetry.values import label, parsed, text

ANSWER_CHARS, ANSWER_READ = 240, 4000
NAME_CHARS = 64
MOST_NAMES = 16

_REFUSALS = ("denied", "blocked", "refused", "forbidden", "rejected", "violation")
# a refusal stands at the beginning of the answer, or of a text inside it
_REFUSAL = re.compile(
    r"""(?:^|["'>:]\s*|\\")((?:DENIED|BLOCKED|REFUSED|FORBIDDEN|REJECTED|POLICY[ _]VIOLATION)\b.{0,240})""",
    re.IGNORECASE | re.DOTALL,
)
_TRANSFER = re.compile(
    r"transfer|hand[-_ ]?(?:off|over)|delegat|route|assign|dispatch|forward|consult|coworker|agent", re.I
)
_TARGET_KEYS = (
    "agent_name",
    "agentName",
    "agent",
    "to_agent",
    "target_agent",
    "target",
    "to",
    "coworker",
    "recipient",
    "destination",
    "assignee",
    "subagent_type",
    "member_id",
    "next",
    "role",
    "name",
)
_QUESTION_KEYS = ("question", "reason", "message", "query", "prompt", "request", "description", "action")
_WRAPPERS = ("inputs", "kwargs", "input", "arguments", "args")
_QUOTED = re.compile(r"'([^']{1,64})'")


def note_call(seen: Observed, arguments: Any, answer: Any) -> None:
    """Fill the hints `call`, `names`, `to`, `asks` and `said` of a tool call."""
    hints = seen.hints
    if arguments is not None and arguments != "":
        held = _bare(parsed(arguments))
        hints["call"] = fingerprint(held if held is not None else arguments)
        names = [crc32(normal(value).encode()) for value in _words(held, arguments)]
        if names:
            hints["names"] = names
        if isinstance(held, dict) and held:
            _note_words(seen, held)
    if answer is not None:
        said = text(answer)[:ANSWER_READ]
        lower = said.lower()
        if any(word in lower for word in _REFUSALS):  # much cheaper than the pattern, and nearly always enough
            found = _REFUSAL.search(said)
            if found:
                hints["said"] = found[1][:ANSWER_CHARS]


def fingerprint(value: Any) -> int:
    """Equal for equal arguments, however their JSON was laid out."""
    try:
        return crc32(orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str))
    except (TypeError, ValueError, RecursionError):
        return crc32(repr(value).encode())


def _note_words(seen: Observed, arguments: dict[str, Any]) -> None:
    tool = seen.subject
    if _TRANSFER.search(tool):
        target = next((label(arguments[key]) for key in _TARGET_KEYS if isinstance(arguments.get(key), str)), "")
        if target:
            seen.hints["to"] = target
    if "human" in tool.lower() or "escalat" in tool.lower() or "approv" in tool.lower():
        seen.hints["asks"] = next(
            (arguments[key][:200] for key in _QUESTION_KEYS if isinstance(arguments.get(key), str)), ""
        )


def _bare(held: Any) -> Any:
    """The arguments as the tool sees them: some producers send them among their own notes about the call."""
    if isinstance(held, dict):
        for key in _WRAPPERS:
            if key in held:
                inner = parsed(held[key])
                if isinstance(inner, dict) and inner:
                    return inner
    return held


def _words(held: Any, raw: Any) -> list[str]:
    """Short texts among the arguments: the only ones that can be a name."""
    if held is not None:
        return list(_short(held))[:MOST_NAMES]
    if not isinstance(raw, str) or len(raw) > 4000:
        return []
    if raw.startswith("{'"):  # a dict as Python prints it
        return _QUOTED.findall(raw)[:MOST_NAMES]
    return [raw] if len(raw) <= NAME_CHARS else []


def _short(held: Any, depth: int = 0) -> Iterator[str]:
    values = held.values() if isinstance(held, dict) else held
    for value in values:
        if isinstance(value, str):
            if 0 < len(value) <= NAME_CHARS:
                yield value
        elif isinstance(value, dict | list) and depth < 2:
            yield from _short(value, depth + 1)
