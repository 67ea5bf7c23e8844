"""What the door at which agents take work says of itself in the description."""

from __future__ import annotations

from typing import Any

from orchestration.api.calls import LONGEST_S
from orchestration.api.lease_words import CLASS, ERROR_CHARS, MOST_EFFECTS, TEXT_CHARS
from orchestration.api.leases import NAME_CHARS, SKILLS
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

_ID = {"name": "lease_id", "in": "path", "required": True, "schema": {"type": "string"}}
_TEXT = {"type": "string", "maxLength": TEXT_CHARS}
_EFFECT = {
    "type": "object",
    "required": ["name"],
    "description": "Something that was done to the world. A run that is rolled back takes it back, newest first",
    "properties": {
        "name": _TEXT,
        "key": _TEXT | {"description": "By which the receiver of the effect knows it"},
        "data": {"type": ["object", "null"], "description": "What is needed to take it back"},
    },
}
_EFFECTS = {"type": "array", "items": _EFFECT, "maxItems": MOST_EFFECTS}
_DONE = {
    "result": {"type": "object", "description": "What later steps and guards read, at most 16 KiB"},
    "effects": _EFFECTS | {"description": "None: the step itself, if it has a compensation"},
}
_FAILED = {
    "error_class": {"type": "string", "pattern": CLASS, "description": "By which the step's retry rules know it"},
    "error": {"type": "string", "maxLength": ERROR_CHARS, "description": "What went wrong, in words"},
    "effects": _EFFECTS | {"description": "What was done all the same"},
}
_ALIVE = {"expires_at": _TIME, "stop": {"type": "boolean", "description": "The run was ended: stop, say what was done"}}
_STEP = {
    "run": {"type": "string", "format": "uuid"},
    "step": {"type": "string"},
    "state": {"type": "string"},
    "attempt": {"type": "integer"},
    "due_at": {"type": ["string", "null"], "description": "Of a step that is tried again: from when"},
}


def add(paths: dict[str, Any]) -> None:
    paths["/api/v1/leases"] = {"post": leases()}
    told = {
        "heartbeat": _word("Keep a step", "The lease begins anew.", {}, _ALIVE),
        "complete": _word("Finish a step", "The same word again changes nothing.", _DONE, _STEP),
        "fail": _word(
            "Give a step up", "It is tried again as its retry rules say, or has failed for good.", _FAILED, _STEP
        ),
    }
    for word, operation in told.items():
        paths[f"/api/v1/leases/{{lease_id}}/{word}"] = {"post": {"operationId": f"{word}_work"} | operation}


def _word(summary: str, words: str, given: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    good = {"type": "object", "required": list(answer), "properties": answer}
    responses: dict[str, Any] = {"200": {"description": "Done", "content": {"application/json": {"schema": good}}}}
    responses["409"] = {"description": "The lease ended; the step goes on without you"}
    return {
        "summary": summary,
        "description": f"{words} Needs the scope work.",
        "tags": ["Work"],
        "parameters": [_ID],
        "requestBody": {"content": {"application/json": {"schema": {"type": "object", "properties": given}}}},
        "responses": responses | {status: {"description": each} for status, each in _FAULTS.items()},
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
