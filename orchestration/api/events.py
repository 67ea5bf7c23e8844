"""The door for whatever speaks no OpenTelemetry: runs, steps and heartbeats as plain JSON. The twin of `otlp`."""

from __future__ import annotations

from typing import Any

import orjson

from orchestration.api import counters
from orchestration.api.answers import Answer, serve
from orchestration.api.arrivals import arrival
from orchestration.api.bodies import Receive, Scope, Send, header
from orchestration.api.intake import Parcel, now_ns, shutdown, startup
from orchestration.api.quota import quotas
from orchestration.api.refusals import Refused, problem
from orchestration.control import elsewhere
from orchestration.telemetry.deliveries import HISTORY
from orchestration.telemetry.events import Events, decode_events
from orchestration.telemetry.models import Signal

__all__ = ["application", "shutdown", "startup"]

JSON, PROBLEM = "application/json", "application/problem+json"
TOLD = 100  # bad events that an answer goes into


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    async def handle() -> Answer:
        if scope["method"] != "POST":
            raise Refused(405, "method", "Events are sent by POST.", allow="POST")
        if header(scope, b"content-type").partition(";")[0].strip().lower() != JSON:
            raise Refused(415, "unsupported", f"Send {JSON}.")
        return await _take(scope, receive)

    await serve("events", send, handle, _error)


async def _take(scope: Scope, receive: Receive) -> Answer:
    async with arrival(scope, receive) as here:
        received_ns, bearer = now_ns(), here.bearer
        history = elsewhere.read if "admin" in bearer.scopes else None
        found = await here.work(lambda body: decode_events(body, received_ns, bearer.span_days, history))
        taken = len(found.items) + len(found.history)
        if taken:
            encoding = HISTORY if found.history else "json"
            parcel = Parcel(bearer, Signal.EVENTS, encoding, *await here.packed(), taken, received_ns)
            await here.store(parcel)
    quotas.spend(bearer, taken, len(here.body))
    counters.received.labels("events").inc(len(here.body))
    counters.accepted.labels("events").inc(taken)
    for bad in found.rejected:
        counters.rejected.labels("events", bad.field or "event").inc()
    if found.rejected:
        counters.refuse(bearer.workspace_id, "bad_event", len(found.rejected))
    return _answer(found)


def _answer(found: Events) -> Answer:
    """200 as long as one event is kept; which ones are not, and why, is in the answer either way."""
    rejected = [{"index": bad.index, "field": bad.field, "message": bad.message} for bad in found.rejected[:TOLD]]
    taken = len(found.items) + len(found.history)
    if found.rejected and not taken:
        return _problem(
            422, "Not one of the events can be kept.", rejected=rejected, rejected_count=len(found.rejected)
        )
    body: dict[str, Any] = {"accepted": taken, "rejected": rejected}
    if len(found.rejected) > TOLD:
        body["rejected_count"] = len(found.rejected)
    return Answer(200, JSON, orjson.dumps(body))


def _error(refused: Refused) -> Answer:
    answer = _problem(refused.status, refused.detail)
    return Answer(answer.status, answer.content_type, answer.body, refused.headers)


def _problem(status: int, detail: str, **more: Any) -> Answer:
    return Answer(status, PROBLEM, orjson.dumps(problem(status, detail, **more)))
