"""The door at which agents take work. Lean ASGI, since they wait here by the hundred.

`POST /api/v1/leases` takes steps for an agent, waiting up to `wait` seconds for the first; an empty list is an answer.
What is said of a lease afterwards (`/{id}/heartbeat`, `complete`, `fail`) is `lease_words`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
import orjson
from django.db import Error, connection, connections

from orchestration.api import auth
from orchestration.api.answers import Answer, serve
from orchestration.api.bodies import Receive, Scope, Send, header, read, room
from orchestration.api.lease_waiting import Full, Queue
from orchestration.api.lease_words import Wrong, decoded, said
from orchestration.api.refusals import Gone, Refused, problem, strange, unavailable
from orchestration.control import driving
from orchestration.control.taking import known
from orchestration.handoffs.given import Speaker
from orchestration.workflows import leases, stored
from orchestration.workflows.leases import MOST, Lease, NotThere, NotYours, Want, Wanted
from orchestration.workspaces.keys import Bearer

ADDRESS = "/api/v1/leases"
MOST_BYTES = 64 << 10
NAME_CHARS = 200
SKILLS = 50
LONGEST_S = 60.0
JSON, PROBLEM = "application/json", "application/problem+json"

T = TypeVar("T")
_threads = ThreadPoolExecutor(2, thread_name_prefix="leases")


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    agent: str
    skill: str | None = None
    skills: list[str] | None = None
    wait: float | None = None
    most: int | None = None


async def startup() -> None:
    """Nothing to open: threads and connections come with the first who asks."""


async def shutdown() -> None:
    await waiting.close()
    await asyncio.get_running_loop().run_in_executor(_threads, connections.close_all)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    async def handle() -> Answer:
        if scope["method"] != "POST":
            raise Refused(405, "method", "Work is taken and told of by POST.", allow="POST")
        bearer = await auth.recognise(auth.key_in(scope["headers"], scope["query_string"]), "work")
        with room.share() as take:
            body = await read(scope, receive, take)
        if body and header(scope, b"content-type").partition(";")[0].strip().lower() != JSON:
            raise Refused(415, "unsupported", f"Send {JSON}.")
        if len(body) > MOST_BYTES:
            raise Refused(413, "too_large", f"A request may have {MOST_BYTES >> 10} KiB here.")
        return await _answer(bearer, body, scope, receive)

    await serve("leases", send, handle, _error)


async def _answer(bearer: Bearer, body: bytes, scope: Scope, receive: Receive) -> Answer:
    try:
        if scope["path"] == ADDRESS:
            return await _lease(bearer, body, scope["query_string"], receive)
        lease, _, word = scope["path"].removeprefix(ADDRESS).strip("/").partition("/")
        return Answer(200, JSON, _json(await _in_thread(said(bearer, lease, word, body))))
    except Wrong as wrong:
        errors = [{"field": wrong.field, "detail": str(wrong)}]
        return _problem(422, f"{wrong.field}: {wrong}", errors=errors)
    except NotThere as unknown:
        return _problem(404, str(unknown))
    except NotYours as lost:
        return _problem(409, str(lost))


async def _lease(bearer: Bearer, body: bytes, query: bytes, receive: Receive) -> Answer:
    wanted, seconds = _read(bearer, body, query)
    if not bearer.speaks_for(wanted.agent):
        return _problem(403, f"This key does not speak for the agent {wanted.agent}.")
    try:
        found = await _take(wanted, bearer, seconds, receive)
    except driving.Stopped as stopped:
        if not stopped.again_s:
            return _problem(403, str(stopped))
        return Answer(200, JSON, _json({"items": [], "words": str(stopped), "retry_after_s": stopped.again_s}))
    return Answer(200, JSON, _json({"items": [told(each) for each in found], "words": None, "retry_after_s": None}))


async def _take(wanted: Wanted, bearer: Bearer, seconds: float, receive: Receive) -> list[Lease]:
    speaker = Speaker(bearer.workspace_id, bearer.key_id, bearer.agents)
    until = time.monotonic() + seconds
    gone = asyncio.ensure_future(_gone(receive))
    try:
        while not (found := await _in_thread(lambda: driving.lease(wanted, lambda: known(speaker, wanted.agent)))):
            called = await waiting.wait(wanted.owners, bearer.key_id, until - time.monotonic(), gone)
            if gone.done():
                raise Gone
            if not called:
                return []
        return found
    except Full:
        raise Refused(503, "busy", "Too many wait for work at the moment.", retry_after=5) from None
    finally:
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _read(bearer: Bearer, body: bytes, query: bytes) -> tuple[Wanted, float]:
    ask = decoded(body, Ask)
    skills = list(dict.fromkeys([*(ask.skills or ()), *([ask.skill] if ask.skill else ())]))
    for field, name in [("agent", ask.agent), *(("skills", skill) for skill in skills)]:
        if not name.strip() or len(name) > NAME_CHARS or "\0" in name:
            raise Wrong(field, f"A name of at most {NAME_CHARS} characters.")
    if len(skills) > SKILLS:
        raise Wrong("skills", f"At most {SKILLS}.")
    most = 1 if ask.most is None else ask.most
    if not 1 <= most <= MOST:
        raise Wrong("most", f"A whole number from 1 to {MOST}.")
    return Wanted(bearer.workspace_id, ask.agent, skills, most, bearer.key_id), _seconds(ask.wait, query)


def _seconds(asked: float | None, query: bytes) -> float:
    """How long to wait at most. Longer than a minute is a minute."""
    parameters = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    for name, words in strange(parameters, ("wait",)):
        raise Wrong(name, words)
    given = parameters.get("wait", [""])[-1]
    try:
        seconds = asked if asked is not None else float(given or 0)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds < 0:
        raise Wrong("wait", "A number of seconds, 60 at most.")
    return min(seconds, LONGEST_S)


def told(lease: Lease) -> dict[str, Any]:
    names = ("run", "workflow", "step", "name", "attempt", "key", "input", "results", "undo", "lease_s")
    return {"id": str(lease.id), **{name: getattr(lease, name) for name in (*names, "expires_at", "limit_at")}}


async def _look(wanted: list[Want]) -> set[Want]:
    return set(await _in_thread(lambda: leases.waiting(wanted)))


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, _kept, work)
    except Error:
        raise unavailable() from None


def _kept(work: Callable[[], T]) -> T:
    """The connection is kept, since making one costs more than the work does; one that died is made anew."""
    connection.close_at = None
    connection.close_if_unusable_or_obsolete()
    stored.prepare_here()
    return work()


def _problem(status: int, detail: str, **more: Any) -> Answer:
    return Answer(status, PROBLEM, _json(problem(status, detail, **more)))


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def _error(refused: Refused) -> Answer:
    return Answer(refused.status, PROBLEM, orjson.dumps(problem(refused.status, refused.detail)), refused.headers)


waiting = Queue(_look)
