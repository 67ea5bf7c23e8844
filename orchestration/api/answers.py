"""One request of a door from its handler to the wire: every way in which it can end has an answer, and is counted."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
import structlog
from prometheus_client import Counter, Histogram

from orchestration.api import counters
from orchestration.api.bodies import Send
from orchestration.api.refusals import Gone, Refused, invalid, problem
from orchestration.handoffs.given import Wrong
from orchestration.lib.told import dumps

JSON, PROBLEM = "application/json", "application/problem+json"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def tell(value: Any, *, body: bool = True) -> Answer:
    """As JSON; without a body where only its head was asked for."""
    return Answer(200, JSON, _json(value) if body else b"")


def fault(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    return Answer(status, PROBLEM, _json(problem(status, detail, **more)), headers or {})


def refuse(refused: Refused) -> Answer:
    return fault(refused.status, refused.detail, refused.headers)


def unfit(error: Wrong, detail: str = "") -> Answer:
    return Answer(422, PROBLEM, _json(invalid(error, detail)))


async def serve(
    signal: str, send: Send, handle: Callable[[], Awaitable[Answer]], refuse: Callable[[Refused], Answer]
) -> None:
    """Send what `handle` answers, or what `refuse` makes of a refusal. A fault of ours is a 503: clients try again
    after that, and drop their data after a 500."""
    began = time.perf_counter()
    try:
        answer = await handle()
    except Gone:
        counters.requests.labels(signal, "gone").inc()
        return
    except Refused as refused:
        _count(signal, refused)
        answer = refuse(refused)
    except Exception:
        log.exception("door_failed", signal=signal)
        fault = Refused(503, "fault", "Baton failed to take this in.", retry_after=5)
        _count(signal, fault)
        answer = refuse(fault)
    requests, seconds = _counted(signal, answer.status)
    requests.inc()
    seconds.observe(time.perf_counter() - began)
    await _send(send, answer)


@cache
def _counted(signal: str, status: int) -> tuple[Counter, Histogram]:
    """Finding a counter by its labels costs more than counting."""
    return counters.requests.labels(signal, str(status)), counters.seconds.labels(signal)


def _count(signal: str, refused: Refused) -> None:
    counters.refused.labels(signal, refused.reason).inc()
    counters.refuse(refused.workspace_id, refused.reason)


async def _send(send: Send, answer: Answer) -> None:
    headers = [(b"content-type", answer.content_type.encode()), (b"content-length", b"%d" % len(answer.body))]
    headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _json(value: Any) -> bytes:
    return dumps(value, option=orjson.OPT_UTC_Z)
