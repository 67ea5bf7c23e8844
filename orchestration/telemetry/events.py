"""Bodies of `/api/v1/events` to plain values: signs of life from what speaks no OpenTelemetry. Pure.

Used by the door, which answers what is wrong with which event, and by the digest, which skips the very same ones: both
must pass the delivery's own `received_ns` and `keep_days`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from orchestration.telemetry import admission
from orchestration.telemetry.admission import DEPTH, Undecodable, clean, name
from orchestration.telemetry.spans import RawEvent

TYPES = frozenset(
    {"run.started", "run.finished", "run.failed", "run.reopened"}
    | {"step.started", "step.finished", "step.failed", "heartbeat"}
)
HISTORY = frozenset({"decision.recorded", "hold.decided"})
History = Callable[[dict[str, Any], int], Any]
KINDS = frozenset({"agent", "llm", "tool", "retrieval", "human", "other"})
NAME_CHARACTERS = 200  # of what tells one run, step or agent from another: longer ones are refused, never cut
TEXT_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class BadEvent:
    """What is wrong with one event, for whoever sent it. `field` is "" when it is no object at all."""

    index: int
    field: str
    message: str


@dataclass(slots=True)
class Events:
    """`history`: what `decode_events`' reader made of events of `HISTORY`."""

    items: list[RawEvent] = field(default_factory=list)
    history: list[Any] = field(default_factory=list)
    rejected: list[BadEvent] = field(default_factory=list)


class _Wrong(ValueError):
    def __init__(self, at: str, message: str) -> None:
        super().__init__(message)
        self.at = at


class _Shape(msgspec.Struct):
    """An event as sent; every text may be null."""

    type: str
    run: str | None = None
    step: str | None = None
    parent: str | None = None
    workflow: str | None = None
    agent: str | None = None
    kind: str | None = None
    system: str | None = None
    name: str | None = None
    at: str | int | None = None
    status: str | None = None
    error: str | None = None
    attributes: dict[str, Any] | None = None


def decode_events(body: bytes, received_ns: int, keep_days: int, history: History | None = None) -> Events:
    """The events of an unpacked body, `{"events": […]}`, and what is wrong with the others. An event without a time
    happened when it was received. Raises Undecodable when the body as a whole is something else.

    `history`: reads what admins alone may tell, as (event, Unix nanoseconds); its errors name the wrong part by `at`.
    """
    when = admission.window(received_ns, keep_days)
    out = Events()
    for index, item in enumerate(_items(body)):
        try:
            if isinstance(item, dict) and isinstance(kind := item.get("type"), str) and kind in HISTORY:
                out.history.append(_past(item, received_ns, history))
            else:
                out.items.append(_event(item, received_ns, when))
        except _Wrong as wrong:
            out.rejected.append(BadEvent(index, wrong.at, str(wrong)))
    return out


def _items(body: bytes) -> list[Any]:
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            whole = orjson.loads(admission.mend(body))
        except orjson.JSONDecodeError:
            raise Undecodable("the body is not JSON") from None
    items = whole.get("events") if isinstance(whole, dict) else None
    if not isinstance(items, list):
        raise Undecodable('the body must be an object with a list: {"events": [...]}')
    return items


def _past(item: dict[str, Any], received_ns: int, history: History | None) -> Any:
    """Of any age: it goes to no partition."""
    if history is None:
        raise _Wrong("type", f"{item['type']} needs a key with the scope admin")
    at = item.get("at")
    if isinstance(at, bool) or not (at is None or isinstance(at, str | int)):
        raise _Wrong("at", "must be a time with its zone, such as 2026-01-31T12:00:00Z, or Unix nanoseconds")
    at_ns = _time(at, received_ns, admission.window(received_ns, admission.ANY_DAYS))
    _check_depth(item.get("facts"), "facts")
    try:
        return history(_clean(item), at_ns)
    except ValueError as error:
        raise _Wrong(getattr(error, "at", ""), str(error)) from None


def _event(item: Any, received_ns: int, when: admission.Window) -> RawEvent:
    shape = _shape(item)
    _check_type(shape.type)
    _check_depth(shape.attributes)
    run, step, agent = _identity("run", shape.run), _identity("step", shape.step), _identity("agent", shape.agent)
    if not run and shape.type != "heartbeat":
        raise _Wrong("run", f"{shape.type} must name its run")
    if not step and shape.type.startswith("step."):
        raise _Wrong("step", f"{shape.type} must name its step")
    if not agent and shape.type == "heartbeat":
        raise _Wrong("agent", "heartbeat must name its agent")
    if shape.kind and shape.kind not in KINDS:
        raise _Wrong("kind", f"must be one of {', '.join(sorted(KINDS))}")
    return RawEvent(
        type=shape.type,
        run=run,
        step=step,
        parent=_identity("parent", shape.parent),
        workflow=_identity("workflow", shape.workflow),
        agent=agent,
        kind=shape.kind or "",
        system=_identity("system", shape.system),
        name=name(shape.name or ""),
        at_ns=_time(shape.at, received_ns, when),
        status=clean(shape.status or "")[:NAME_CHARACTERS],
        error=clean(shape.error or "")[:TEXT_CHARACTERS],
        attributes=_clean(shape.attributes or {}),
    )


def _shape(item: Any) -> _Shape:
    try:
        return msgspec.convert(item, _Shape)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        if missing := re.search(r"missing required field `(\w+)`", message):
            raise _Wrong(missing[1], "is missing") from None
        at = re.search(r"\$\.(\w+)", path)
        raise _Wrong(at[1] if at else "", message.replace("`", "")) from None


def _check_type(kind: str) -> None:
    if kind not in TYPES:
        raise _Wrong("type", f"must be one of {', '.join(sorted(TYPES))}")


def _check_depth(attributes: Any, field: str = "attributes") -> None:
    level = [attributes]
    for _ in range(DEPTH + 1):
        level = [inner for value in level if isinstance(value, dict | list) for inner in _inside(value)]
        if not level:
            return
    raise _Wrong(field, f"are nested more than {DEPTH} levels deep")


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _identity(field: str, text: str | None) -> str:
    """What tells a run, step or agent from another. Cutting it would make two of them one."""
    found = clean(text or "").strip()
    if len(found) > NAME_CHARACTERS:
        raise _Wrong(field, f"is longer than {NAME_CHARACTERS} characters")
    return found


def _time(at: str | int | None, received_ns: int, when: admission.Window) -> int:
    if at is None:
        return received_ns
    found = at if isinstance(at, int) else _nanoseconds(at)
    if found < when.oldest_ns:
        raise _Wrong("at", "lies before the days that are kept; give RFC 3339 or Unix nanoseconds")
    if found > when.newest_ns:
        raise _Wrong("at", "lies more than a day ahead")
    return found


def _nanoseconds(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 20:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise _Wrong("at", "must be a time with its zone, such as 2026-01-31T12:00:00Z, or Unix nanoseconds")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
