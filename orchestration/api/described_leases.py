"""What the door at which agents take work says of itself in the description."""

from __future__ import annotations

from typing import Any

from orchestration.api.leases import LONGEST_S, NAME_CHARS, SKILLS
from orchestration.workflows.leases import MOST

_FAULTS = {
    "400": "Not a body that can be read",
    "408": "The body did not arrive in time",
    "413": "Too large",
    "415": "Another content type",
}
_NAME = {"type": "string", "minLength": 1, "maxLength": NAME_CHARS}
_TIME = {"type": "string", "format": "date-time"}
_ASK: dict[str, Any] = {
    "type": "object",
    "required": ["agent"],
    "additionalProperties": False,
    "properties": {
        "agent": _NAME | {"description": "Who takes the work: steps that name it, and those of its skills"},
        "skill": {"type": ["string", "null"], "maxLength": NAME_CHARS},
        "skills": {"type": ["array", "null"], "items": _NAME, "maxItems": SKILLS},
        "wait": {"type": ["number", "null"], "minimum": 0, "description": f"Seconds, {LONGEST_S:.0f} at most"},
        "most": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST, "description": "Steps taken at once"},
    },
}
_LEASE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "Of this lease; the step's next one has another"},
        "run": {"type": "string", "format": "uuid"},
        "workflow": {"type": "string"},
        "step": {"type": "string"},
        "name": {"type": "string"},
        "attempt": {"type": "integer"},
        "key": {"type": "string", "description": "The same at every attempt: pass it on to what you act upon"},
        "input": {"description": "What the run was started with"},
        "results": {"type": "object", "description": "What the steps before this one gave"},
        "undo": {"type": ["object", "null"], "description": "The effect that is to be taken back"},
        "lease_s": {"type": "number", "description": "Give a sign of life more often than that"},
        "expires_at": _TIME,
        "limit_at": _TIME | {"description": "When the attempt has lasted too long"},
    },
}
_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {"type": "array", "items": _LEASE},
        "words": {"type": ["string", "null"], "description": "Why there is nothing, where the agent is paused"},
        "retry_after_s": {"type": ["integer", "null"]},
    },
}


def leases() -> dict[str, Any]:
    """`POST /api/v1/leases`."""
    good = {"description": "Taken, or nothing to do", "content": {"application/json": {"schema": _ANSWER}}}
    return {
        "operationId": "take_work",
        "summary": "Take steps of declared workflows",
        "description": "Waits up to `wait` seconds for the first one. Needs the scope work.",
        "tags": ["Work"],
        "parameters": [],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ASK}}},
        "responses": {"200": good} | {status: {"description": words} for status, words in _FAULTS.items()},
    }
