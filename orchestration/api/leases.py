"""The door at which agents take work. Lean ASGI, since they wait here by the hundred.

`POST /api/v1/leases` takes steps for an agent, waiting up to `wait` seconds for the first; an empty list is an answer.
What is said of a lease afterwards is `lease_words`.
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
from django.db import Error, close_old_connections, connections

from orchestration.api import auth
from orchestration.api.answers import Answer, serve
from orchestration.api.bodies import Receive, Scope, Send, header, read, room
from orchestration.api.lease_waiting import Full, Queue, Want
from orchestration.api.refusals import Gone, Refused, problem, unavailable
from orchestration.control import driving
from orchestration.lib.names import normal
from orchestration.workflows import leases
from orchestration.workflows.leases import MOST, Lease, Wanted
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


class Wrong(ValueError):
    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


async def startup() -> None:
    """Nothing to open: threads and connections come with the first who asks."""


async def shutdown() -> None:
    await waiting.close()
    await asyncio.get_running_loop().run_in_executor(_threads, connections.close_all)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    async def handle() -> Answer:
        if scope["method"] != "POST":
            raise Refused(405, "method", "Work is taken by POST.", allow="POST")
        if header(scope, b"content-type").partition(";")[0].strip().lower() != JSON:
            raise Refused(415, "unsupported", f"Send {JSON}.")
        bearer = await auth.recognise(auth.key_in(scope["headers"], scope["query_string"]), "work")
        with room.share() as take:
            body = await read(scope, receive, take)
        if len(body) > MOST_BYTES:
            raise Refused(413, "too_large", f"A request for work may have {MOST_BYTES >> 10} KiB.")
        return await _answer(bearer, body, scope["query_string"], receive)

    await serve("leases", send, handle, _error)


async def _answer(bearer: Bearer, body: bytes, query: bytes, receive: Receive) -> Answer:
    try:
        wanted, seconds = _read(bearer, body, query)
    except Wrong as wrong:
        errors = [{"field": wrong.field, "detail": str(wrong)}]
        return Answer(422, PROBLEM, _json(problem(422, f"{wrong.field}: {wrong}", errors=errors)))
    if not speaks_for(bearer, wanted.agent):
        return Answer(403, PROBLEM, _json(problem(403, f"This key does not speak for the agent {wanted.agent}.")))
    try:
        found = await _take(wanted, bearer.key_id, seconds, receive)
    except driving.Stopped as stopped:
        if not stopped.again_s:
            return Answer(403, PROBLEM, _json(problem(403, str(stopped))))
        return Answer(200, JSON, _json({"items": [], "words": str(stopped), "retry_after_s": stopped.again_s}))
    return Answer(200, JSON, _json({"items": [told(each) for each in found], "words": None, "retry_after_s": None}))


async def _take(wanted: Wanted, key_id: int, seconds: float, receive: Receive) -> list[Lease]:
    until = time.monotonic() + seconds
    wants: list[Want] = [(wanted.workspace_id, "agent", wanted.agent)]
    wants += [(wanted.workspace_id, "skill", skill) for skill in wanted.skills]
    gone = asyncio.ensure_future(_gone(receive))
    try:
        while not (found := await _in_thread(lambda: driving.lease(wanted))):
            called = await waiting.wait(wants, key_id, until - time.monotonic(), gone)
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
    try:
        ask = msgspec.json.decode(body, type=Ask)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message, _, path = str(error).partition(" - at ")
        raise Wrong(path.strip("`$.") or "body", message.replace("`", "")) from None
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
    given = parse_qs(query.decode("latin-1")).get("wait", [""])[-1]
    try:
        seconds = asked if asked is not None else float(given or 0)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds < 0:
        raise Wrong("wait", "A number of seconds, 60 at most.")
    return min(seconds, LONGEST_S)


def speaks_for(bearer: Bearer, agent: str) -> bool:
    return not bearer.agents or normal(agent.rpartition("/")[2] or agent) in {normal(each) for each in bearer.agents}


def told(lease: Lease) -> dict[str, Any]:
    names = ("run", "workflow", "step", "name", "attempt", "key", "input", "results", "undo", "lease_s")
    return {"id": str(lease.id), **{name: getattr(lease, name) for name in (*names, "expires_at", "limit_at")}}


async def _look(wanted: list[Want]) -> set[Want]:
    return await _in_thread(lambda: leases.waiting(wanted))


async def _in_thread(work: Callable[[], T]) -> T:
    def run() -> T:
        close_old_connections()
        return work()

    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, run)
    except Error:
        raise unavailable() from None


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def _error(refused: Refused) -> Answer:
    return Answer(refused.status, PROBLEM, orjson.dumps(problem(refused.status, refused.detail)), refused.headers)


waiting = Queue(_look)
