"""The door at which agents take work. Lean ASGI, since they wait here by the hundred.

`POST /api/v1/leases` takes steps for an agent, waiting up to `wait` seconds for the first; an empty list is an answer.
What is said of a lease afterwards (`/{id}/heartbeat`, `complete`, `fail`) is `lease_words`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from django.db import Error, connection, connections

from orchestration.api.answers import Answer, fault, tell
from orchestration.api.bodies import Receive, Scope, Send
from orchestration.api.calls import Call, answer, bounded
from orchestration.api.lease_waiting import Queue
from orchestration.api.lease_words import decoded, said
from orchestration.api.refusals import Gone, Refused, unavailable, wrong
from orchestration.control import driving
from orchestration.control.taking import known
from orchestration.workflows import leases, stored
from orchestration.workflows.leases import MOST, Lease, NotThere, NotYours, Want, Wanted

ADDRESS = "/api/v1/leases"
MOST_BYTES = 64 << 10
NAME_CHARS = 200
SKILLS = 50

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
    await answer("leases", scope, receive, send, _answer)


async def _answer(call: Call) -> Answer:
    if call.scope["method"] != "POST":
        raise Refused(405, "method", "Work is taken and told of by POST.", allow="POST")
    await call.admit("work")
    body = await call.body(MOST_BYTES)
    try:
        if call.scope["path"] == ADDRESS:
            return await _lease(call, body)
        call.only()
        lease, _, word = call.scope["path"].removeprefix(ADDRESS).strip("/").partition("/")
        return tell(await _in_thread(said(call.bearer, lease, word, body)))
    except NotThere as unknown:
        return fault(404, str(unknown))
    except NotYours as lost:
        return fault(409, str(lost))


async def _lease(call: Call, body: bytes) -> Answer:
    call.only("wait")
    wanted, seconds = _read(call, body)
    if not call.bearer.speaks_for(wanted.agent):
        return fault(403, f"This key does not speak for the agent {wanted.agent}.")
    try:
        found = await _take(wanted, call, seconds)
    except driving.Stopped as stopped:
        if not stopped.again_s:
            return fault(403, str(stopped))
        return tell({"items": [], "words": str(stopped), "retry_after_s": stopped.again_s})
    return tell({"items": [told(each) for each in found], "words": None, "retry_after_s": None})


async def _take(wanted: Wanted, call: Call, seconds: float) -> list[Lease]:
    until = time.monotonic() + seconds
    while not (found := await _in_thread(lambda: driving.lease(wanted, lambda: known(call.speaker, wanted.agent)))):
        called = await waiting.wait(wanted.owners, call.bearer.key_id, until - time.monotonic(), call.gone)
        if call.gone.done():
            raise Gone
        if not called:
            return []
    return found


def _read(call: Call, body: bytes) -> tuple[Wanted, float]:
    ask = decoded(body, Ask)
    skills = list(dict.fromkeys([*(ask.skills or ()), *([ask.skill] if ask.skill else ())]))
    for field, name in [("agent", ask.agent), *(("skills", skill) for skill in skills)]:
        if not name.strip() or len(name) > NAME_CHARS or "\0" in name:
            raise wrong(field, f"A name of at most {NAME_CHARS} characters.")
    if len(skills) > SKILLS:
        raise wrong("skills", f"At most {SKILLS}.")
    most = 1 if ask.most is None else ask.most
    if not 1 <= most <= MOST:
        raise wrong("most", f"A whole number from 1 to {MOST}.")
    seconds = call.seconds if ask.wait is None else bounded(ask.wait)
    return Wanted(call.bearer.workspace_id, ask.agent, skills, most, call.bearer.key_id), seconds


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


waiting = Queue(_look)
