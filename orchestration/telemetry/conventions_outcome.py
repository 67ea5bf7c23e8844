"""Whether a span failed, by its own account, and in which words.

Three things look like failures and are none: an exception that steers (`CONTROL_FLOW`), an exception that was caught
and merely noted, and a status that nobody set.
"""

from __future__ import annotations

import re
from typing import Any

from orchestration.telemetry.spans import CONTROL, ERROR, OTHER, Event, Observed, RawSpan
from orchestration.telemetry.values import label, text

ERROR_CHARS = 500

# raised to go somewhere else in the program, or to stop until somebody answers
PAUSES = frozenset(
    {
        "GraphInterrupt",
        "NodeInterrupt",
        "ApprovalRequired",
        "CallDeferred",
        "InterruptException",
        "WaitingForEvent",
        "HumanInputRequired",
    }
)
CONTROL_FLOW = PAUSES | {
    "ParentCommand",
    "Command",
    "GraphBubbleUp",
    "GraphDelegate",
    "Interrupt",
    "SkipToolExecution",
    "MiddlewareTermination",
    "EndRun",
    "StopAgentRun",
    "StopAsyncIteration",
    "StopIteration",
    "GeneratorExit",
    "ContinueAsNewError",
}
FAILED_WORDS = frozenset({"failure", "failed", "error"})
STATUS_KEYS = ("gen_ai.task.status", "gen_ai.tool.status", "tool.status", "a2a.task.state")

_QUESTION = re.compile(r"""['"](?:question|message|prompt|description|query)['"]\s*:\s*(?:'([^']*)'|"([^"]*)")""")
_TRIPPED = re.compile(r"""guardrail(?:_name)?['"]?\s*[:=]\s*['"]?([\w][\w .-]{0,80})""", re.IGNORECASE)


def judge(raw: RawSpan, seen: Observed) -> None:
    """Set outcome, error and the hints that only an exception gives. For spans with a status, an event or an error."""
    thrown = _exception(raw.events)
    kind = label(thrown.get("exception.type")) if thrown else ""
    if not kind:
        kind = label(raw.attributes.get("error.type"))
    short = kind.rpartition(".")[2]
    if short in CONTROL_FLOW:
        seen.outcome = CONTROL
        if short in PAUSES:
            seen.hints["wait"] = "interrupt"
            seen.hints["asks"] = question(text(thrown.get("exception.message")) if thrown else raw.message)
        return
    if raw.status == 2 or (seen.kind is not OTHER and _said_failed(raw.attributes, kind)):
        seen.outcome = ERROR
        message = text(thrown.get("exception.message")) if thrown else ""
        seen.error = _words(short, message or raw.message or text(raw.attributes.get("error.message")))
        if "uardrail" in seen.error:
            tripped = _TRIPPED.search(seen.error)
            seen.hints["hit"] = tripped[1].strip() if tripped else ""


def question(said: str) -> str:
    """What a person is asked, out of the text of an interruption."""
    found = _QUESTION.search(said, 0, 4000)
    if found:
        return (found[1] or found[2] or "")[:200]
    return said.partition("value=")[2][:200] or said[:200]


def _exception(events: list[Event]) -> dict[str, Any] | None:
    """The last exception is the one that ended the span; producers often record it twice."""
    for event in reversed(events):
        if event.name in ("exception", "gen_ai.client.operation.exception"):
            return event.attributes
    return None


def _said_failed(attributes: dict[str, Any], kind: str) -> bool:
    """Some producers say so in an attribute only. `error.type` is set on failures alone, by its definition."""
    if kind and attributes.get("error.type") is not None:
        return True
    return any(_is_failed(attributes.get(key)) for key in STATUS_KEYS if key in attributes)


def _is_failed(value: Any) -> bool:
    return isinstance(value, str) and value.lower().removeprefix("task_state_") in FAILED_WORDS


def _words(kind: str, message: str) -> str:
    """`Type: message`, without saying the type twice or carrying a stack trace along."""
    if not message:
        return (kind or "error")[:ERROR_CHARS]
    message = message.partition("Traceback (most recent call last)")[0].strip() or message
    if not kind or message.startswith(kind):
        return message[:ERROR_CHARS]
    return f"{kind}: {message}"[:ERROR_CHARS]
