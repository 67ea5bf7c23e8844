"""What the doors of "may I?" and of asking a person say of themselves in the description."""

from __future__ import annotations

from typing import Any

from orchestration.policies.asks import MOST_EVIDENCE, PROSE_CHARS, TEXT_CHARS
from orchestration.policies.effects import Kind

_FAULTS = {
    "400": "Not a body that can be read",
    "408": "The body did not arrive in time",
    "409": "This key is being answered: try again after `Retry-After` seconds",
    "410": "This key was answered, and what was answered is past its retention",
    "413": "Too large",
    "415": "Another content type",
}
_NAME = {"type": ["string", "null"], "maxLength": TEXT_CHARS}
_PROSE = {"type": "string", "minLength": 1, "maxLength": PROSE_CHARS}
_OBJECT = {"type": ["object", "null"]}
_EVIDENCE = {"type": ["array", "null"], "items": {}, "maxItems": MOST_EVIDENCE}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "The same key and body get the first answer again; kept for 30 days",
}
_ACTION: dict[str, Any] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS},
        "system": _NAME,
        "amount": {"type": ["number", "string", "null"]},
        "currency": {
            "type": ["string", "null"],
            "pattern": "^[A-Za-z]{3}$",
            "description": "None: the workspace's. Another one is compared at the admins' exchange rate, and "
            "without a rate `action.amount` is `missing`.",
        },
        "arguments": _OBJECT,
    },
}
_ASK: dict[str, Any] = {
    "type": "object",
    "required": ["agent", "action"],
    "properties": {
        "agent": {"type": "string", "minLength": 1, "description": "A name, or application/name"},
        "action": _ACTION,
        "run": _NAME | {"description": "Your own text for the run, a trace id, or an id that Baton gave"},
        "step": _NAME,
        "context": _OBJECT | {"description": "What rules may look at besides"},
        "proposal": {"type": ["string", "null"], "maxLength": PROSE_CHARS},
        "evidence": _EVIDENCE,
        "key": {"type": ["string", "null"], "maxLength": 255, "description": "Idempotency key, in a list"},
    },
}
_REASON = {
    "type": "object",
    "properties": {
        "policy": {"type": "string"},
        "version": {"type": "integer"},
        "words": {"type": "string"},
        "effect": {"type": "string"},
    },
}
_ID = {"type": ["string", "null"], "format": "uuid"}
_DECISION: dict[str, Any] = {
    "type": "object",
    "required": ["id", "effect", "reasons", "hold", "route_to", "amend", "retry_after_s", "obligations", "degraded"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "effect": {"enum": [kind.value for kind in Kind]},
        "reasons": {"type": "array", "items": _REASON},
        "hold": _ID | {"description": "Wait for the verdict at /api/v1/holds/{id}"},
        "route_to": {"type": ["string", "null"]},
        "amend": _OBJECT,
        "retry_after_s": {"type": ["number", "null"]},
        "obligations": {"type": "array", "items": {"type": "object"}},
        "degraded": {"type": "boolean"},
        "missing": {"type": "array", "items": {"type": "string"}},
        "evidence": {"type": "array", "items": {"type": "string"}},
    },
}
_QUESTION: dict[str, Any] = {
    "type": "object",
    "required": ["agent", "question", "proposal", "why", "evidence", "cost_of_waiting", "reversible"],
    "properties": {
        "agent": {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS},
        "question": _PROSE,
        "proposal": _PROSE | {"description": "What you would do"},
        "why": _PROSE | {"description": "Why you may not decide it alone"},
        "evidence": {"type": "array", "items": {}, "maxItems": MOST_EVIDENCE},
        "cost_of_waiting": _PROSE,
        "reversible": {"type": "boolean"},
        "run": _NAME,
        "step": _NAME,
        "skill": _NAME | {"description": "What a person needs to know to decide it"},
        "due_at": {"type": ["string", "null"], "format": "date-time"},
        "key": {"type": ["string", "null"], "maxLength": 255, "description": "Idempotency key"},
    },
}


def decisions() -> dict[str, Any]:
    """`POST /api/v1/decisions`."""
    several = {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": _ASK}}}
    answers = {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": {}}}}
    return _operation(
        "ask",
        "May I? One ask, or up to 100 as items",
        "Answered by the live policies, and only once it is safe on disk. Needs the scope decide.",
        {"anyOf": [_ASK, several]},
        {"anyOf": [_DECISION, answers]},
    )


def holds() -> dict[str, Any]:
    """`POST /api/v1/holds`."""
    return _operation(
        "ask_a_person",
        "Ask a person directly",
        "Opens a hold; wait for its verdict at /api/v1/holds/{id}. Needs the scope decide.",
        _QUESTION,
        {"$ref": "#/components/schemas/HoldOut"},
    )


def _operation(name: str, summary: str, words: str, body: Any, answer: Any) -> dict[str, Any]:
    good = {"description": "Stored", "content": {"application/json": {"schema": answer}}}
    return {
        "operationId": name,
        "summary": summary,
        "description": words,
        "tags": ["Decisions"],
        "parameters": [_KEY],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": good} | {status: {"description": said} for status, said in _FAULTS.items()},
    }
