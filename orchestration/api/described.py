"""What a door says of itself in the description: it is no part of ninja, which would otherwise know."""

from __future__ import annotations

from typing import Any

from orchestration.telemetry.events import KINDS, NAME_CHARACTERS, TEXT_CHARACTERS, TYPES

_NAME = {"type": ["string", "null"], "maxLength": NAME_CHARACTERS}
_FAULTS = {
    "400": "Not a body that can be read",
    "408": "The body did not arrive in time",
    "413": "Too large: send smaller batches",
    "415": "Another content type",
    "429": "Over the key's quota: try again after `Retry-After` seconds",
}
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["type"],
    "description": "Every type but heartbeat names its run, step.* its step, heartbeat its agent. A run that had ended "
    "and goes on says run.reopened.",
    "properties": {
        "type": {"enum": sorted(TYPES)},
        "run": _NAME | {"description": "Your own text for the run, or an id that Baton gave"},
        "step": _NAME | {"description": "Your own text for the step, unique in the run"},
        "parent": _NAME | {"description": "The step around this one"},
        "workflow": _NAME,
        "agent": _NAME | {"description": "A name, or application/name"},
        "kind": {"enum": [*sorted(KINDS), None]},
        "system": _NAME | {"description": "What the step acts upon"},
        "name": {"type": ["string", "null"]},
        "at": {
            "type": ["string", "integer", "null"],
            "description": "RFC 3339 or Unix nanoseconds; when it was received if absent",
        },
        "status": _NAME,
        "error": {"type": ["string", "null"], "maxLength": TEXT_CHARACTERS},
        "attributes": {"type": ["object", "null"]},
    },
}
_TAKEN: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "rejected"],
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {
            "type": "array",
            "description": "The first 100 events that could not be kept, and why",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer"},
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "rejected_count": {"type": "integer", "description": "How many there were, where that is more"},
    },
}


def events() -> dict[str, Any]:
    """`POST /api/v1/events`."""
    body = {"type": "object", "required": ["events"], "properties": {"events": {"type": "array", "items": _EVENT}}}
    return {
        "operationId": "send_events",
        "summary": "Signs of life from what speaks no OpenTelemetry",
        "description": "Runs and steps that started, finished or failed, and heartbeats. Needs the scope ingest.",
        "tags": ["Telemetry"],
        "parameters": [],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {
                "description": "Kept, once it is safe on disk",
                "content": {"application/json": {"schema": _TAKEN}},
            },
        }
        | {status: {"description": words} for status, words in _FAULTS.items()},
    }
