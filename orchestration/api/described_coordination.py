"""What the door of handoffs and claims says of itself in the description."""

from __future__ import annotations

from typing import Any

from orchestration.handoffs.claims import LEAST_S, MOST_S, USUAL_S
from orchestration.handoffs.envelope import MOST_CLASSES, NEEDED, VERSION
from orchestration.handoffs.given import MOST_ITEMS, NAME_CHARS, PROSE_CHARS
from orchestration.handoffs.sending import LEAST_S as SHORTEST_S
from orchestration.handoffs.sending import MOST_S as LONGEST_S

_FAULTS = {
    "400": "Not a body that can be read",
    "403": "The key does not speak for the agent, or the agent or its run is `stopped`; `retry_after_s` if only paused",
    "408": "The body did not arrive in time",
    "409": "It has gone on meanwhile: the words say how",
    "413": "Too large",
    "415": "Another content type",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "The same key and body are the same act, however often they are sent",
}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_WAIT = {
    "name": "wait",
    "in": "query",
    "required": False,
    "schema": {"type": "number", "minimum": 0},
    "description": "Seconds to wait until the claim has ended, 60 at most",
}
_NAME = {"type": "string", "minLength": 1, "maxLength": NAME_CHARS}
_ITEMS = {"type": "array", "items": {"type": ["string", "object"]}, "maxItems": MOST_ITEMS}
_TTL = {"type": ["number", "null"], "minimum": LEAST_S, "maximum": MOST_S, "default": USUAL_S}
_TTL_TAKEN = {
    "type": ["number", "null"],
    "minimum": SHORTEST_S,
    "maximum": LONGEST_S,
    "description": "Held to it: over, the handoff comes back. Null: a quarter of an hour from the last sign of life",
}
_FENCE = {
    "type": ["integer", "null"],
    "minimum": 0,
    "description": "As the acceptance was answered: refused (409) once it is another one's. Needed once it came back",
}
_TIME = {"type": "string", "format": "date-time"}
_HANDOFF = {"$ref": "#/components/schemas/HandoffOut"}
_ENVELOPE: dict[str, Any] = {
    "type": "object",
    "required": list(NEEDED),
    "properties": {
        "version": {"enum": [VERSION]},
        "run": _NAME | {"description": "Your own text for the run, a trace id, or an id that Baton gave"},
        "from": _NAME | {"description": "A name, or application/name, for which the key may speak"},
        "to": _NAME | {"description": "Any agent of the workspace"},
        "done": _ITEMS,
        "asked": {"type": "string", "minLength": 1, "maxLength": PROSE_CHARS},
        "evidence": _ITEMS,
        "open_questions": _ITEMS,
        "constraints": _ITEMS,
        "data_classes": {"type": "array", "items": {"type": "string"}, "maxItems": MOST_CLASSES},
        "facts": {"type": ["object", "null"], "description": "Named values; a pair of agents may need some"},
        "expires_at": {"type": ["string", "null"], "format": "date-time"},
        "key": {"type": ["string", "null"], "maxLength": 255, "description": "Idempotency key"},
    },
}
_WANTED: dict[str, Any] = {
    "type": "object",
    "required": ["run", "key", "agent"],
    "properties": {
        "run": _NAME,
        "key": _NAME | {"description": "The piece of work, the same for all who would do it; `ask:…` asks a customer"},
        "agent": _NAME,
        "ttl_s": _TTL,
        "fresh_s": {"type": ["number", "null"], "minimum": 0, "description": "An older result is no use"},
    },
}
_CLAIM: dict[str, Any] = {
    "type": "object",
    "required": ["id", "granted", "holder", "since", "until", "state", "result", "fence"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "granted": {"type": "boolean"},
        "holder": {"type": "string"},
        "since": _TIME,
        "until": _TIME,
        "state": {"enum": ["held", "done", "released", "expired", "lost", "stale"]},
        "result": {},
        "run": {"type": "string"},
        "run_id": {"type": ["string", "null"], "format": "uuid"},
        "key": {"type": "string"},
        "fence": {"type": "integer", "description": "Grows with each grant of the same work"},
        "late": {"type": "boolean"},
        "ended_at": {"type": ["string", "null"], "format": "date-time"},
    },
}


def add(paths: dict[str, Any]) -> None:
    """Beside what ninja tells of the same addresses."""
    send = "Completely, or it is sent back with every field at fault. Needs the scope work."
    paths["/api/v1/handoffs"]["post"] = _operation("hand_over", "Hand work over", send, _ENVELOPE, _HANDOFF)
    why = {"reason": _ENVELOPE["properties"]["asked"], "fence": _FENCE}
    reason = {"type": "object", "required": ["reason"], "properties": why}
    more, done = {"ttl_s": _TTL_TAKEN, "fence": _FENCE}, {"result": {}, "fence": _FENCE}
    steps: dict[str, tuple[str, Any]] = {
        "accept": ("Take a handoff over", {"type": "object", "properties": {"ttl_s": _TTL_TAKEN}}),
        "extend": ("Take more time for a handoff", {"type": "object", "properties": more}),
        "reject": ("Send a handoff back", reason),
        "complete": ("What was asked is done", {"type": "object", "properties": done}),
    }
    for name, (summary, body) in steps.items():
        words = "By its receiver, once. Needs the scope work."
        made = _operation(f"{name}_handoff", summary, words, body, _HANDOFF, [_ID, _KEY])
        paths[f"/api/v1/handoffs/{{id}}/{name}"] = {"post": made}
    words = "One of all who say the same is granted it; the others are told who has it, and its result. Scope work."
    claim = _operation("claim", "Say what you are about to do", words, _WANTED, _CLAIM, [_WAIT, _KEY])
    paths["/api/v1/claims"] = {"post": claim}
    paths["/api/v1/claims/{id}"] = {"get": _look()}
    paths["/api/v1/claims/{id}/result"] = {"put": _turn("finish_claim", "What came of it", {"result": {}}, ["result"])}
    paths["/api/v1/claims/{id}/release"] = {"post": _turn("release_claim", "Give it back undone", {}, [])}
    paths["/api/v1/claims/{id}/extend"] = {"post": _turn("extend_claim", "More time for it", {"ttl_s": _TTL}, [])}


def _look() -> dict[str, Any]:
    made = _operation(
        "get_claim", "One claim, by long poll", "Needs the scope work or read.", None, _CLAIM, [_ID, _WAIT]
    )
    del made["requestBody"]
    return made


def _turn(name: str, summary: str, properties: dict[str, Any], needed: list[str]) -> dict[str, Any]:
    body = {"type": "object", "properties": properties} | ({"required": needed} if needed else {})
    return _operation(name, summary, "By its holder, as long as the claim stands. Scope work.", body, _CLAIM, [_ID])


def _operation(
    name: str, summary: str, words: str, body: Any, answer: Any, parameters: list[Any] | None = None
) -> dict[str, Any]:
    good = {"description": "As it stands", "content": {"application/json": {"schema": answer}}}
    return {
        "operationId": name,
        "summary": summary,
        "description": words,
        "tags": ["Coordination"],
        "parameters": [_KEY] if parameters is None else parameters,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": good} | {status: {"description": said} for status, said in _FAULTS.items()},
    }
