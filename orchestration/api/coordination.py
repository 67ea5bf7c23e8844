"""The door of handoffs and claims. Lean ASGI, since agents speak here before each piece of work, and wait here by the
hundred: for work that is handed to them, and for the result of who was quicker.

What is asked goes to the database in a few threads of its own, never those of pages; who waits holds none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from django.core.exceptions import ObjectDoesNotExist

from orchestration.api import auth
from orchestration.api.answers import Answer, serve
from orchestration.api.bodies import Receive, Scope, Send, header, read, room
from orchestration.api.coordination_waits import claims_over, handed
from orchestration.api.pool import Pool, Unavailable
from orchestration.api.refusals import Refused, problem, unavailable
from orchestration.api.threads import Threads
from orchestration.api.watching import Full, Watch
from orchestration.handoffs import claims, demands, lists, sending
from orchestration.handoffs.demands import Demanded
from orchestration.handoffs.given import Fault, KeyUsed, NotYours, Speaker, TooLate, Wrong, agent_key
from orchestration.handoffs.lists import Asked
from orchestration.handoffs.models import Claim, Holding, Passing
from orchestration.handoffs.told import claimed, told
from orchestration.lib.paging import BadCursor

HANDOFFS, CLAIMS = "/api/v1/handoffs", "/api/v1/claims"
MOST_BYTES = 1 << 20
KEY_CHARS = 255
LONGEST_S = 60.0
MOST_LISTED = 100
JSON, PROBLEM = "application/json", "application/problem+json"
READERS = ("work", "read")

pool = Pool()
threads = Threads("coordination")
arriving: Watch[tuple[int, str]] = Watch(pool, handed)
ending: Watch[UUID] = Watch(pool, claims_over)


def takes(scope: Scope) -> bool:
    """Agents speak here with their keys. People who look at handoffs are the pages' business."""
    path = f"{scope['path']}/"
    if path.startswith(f"{CLAIMS}/"):
        return True
    asks = scope["method"] in ("GET", "HEAD") and not any(name == b"authorization" for name, _ in scope["headers"])
    return path.startswith(f"{HANDOFFS}/") and not asks


async def startup() -> None:
    await pool.open()


async def shutdown() -> None:
    await arriving.close()
    await ending.close()
    await pool.close()
    await threads.close()


class Call:
    """One request: who speaks, what was said, and how long the answer may take."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        self.speaker = Speaker(0, 0)
        self.given: Any = None
        self.key = ""
        self._gone: asyncio.Future[Any] | None = None

    async def admit(self, *scopes: str) -> None:
        """Any of the scopes will do."""
        key = auth.key_in(self.scope["headers"], self.scope["query_string"])
        for each in scopes:
            try:
                bearer = await auth.recognise(key, each)
            except Refused as refused:
                if refused.status != 403 or each == scopes[-1]:
                    raise
            else:
                self.speaker = Speaker(bearer.workspace_id, bearer.key_id, bearer.agents)
                return

    async def listen(self) -> None:
        """Read the body: JSON, or nothing at all."""
        with room.share() as take:
            body = await read(self.scope, self.receive, take)
        if len(body) > MOST_BYTES:
            raise Refused(413, "too_large", f"At most {MOST_BYTES >> 20} MiB.")
        if body and header(self.scope, b"content-type").partition(";")[0].strip().lower() != JSON:
            raise Refused(415, "unsupported", f"Send {JSON}.")
        try:
            self.given = orjson.loads(body) if body else None
        except orjson.JSONDecodeError:
            raise Refused(400, "undecodable", "The body is not JSON.") from None
        inner = self.given.get("key") if isinstance(self.given, dict) and "to" in self.given else ""
        key = header(self.scope, b"idempotency-key") or inner or ""
        if not isinstance(key, str) or len(key) > KEY_CHARS or "\0" in key:
            raise _wrong("key", f"An idempotency key is a text of at most {KEY_CHARS} characters.")
        self.key = key

    @property
    def seconds(self) -> float:
        """How long to wait at most. Longer than a minute is a minute."""
        try:
            seconds = float(self.query.get("wait", "0"))
        except ValueError:
            seconds = -1.0
        if not isfinite(seconds) or seconds < 0:
            raise _wrong("wait", "A number of seconds, 60 at most.")
        return min(seconds, LONGEST_S)

    async def wait(self, watch: Watch[Any], thing: Any, until: float) -> bool:
        """Whether there is still somebody to answer, and time left."""
        loop = asyncio.get_running_loop()
        if self._gone is None:
            self._gone = asyncio.ensure_future(_gone(self.receive))
        left = until - loop.time()
        if left <= 0:
            return False
        try:
            await watch.wait(thing, self.speaker.key_id, left, self._gone)
        except Full:
            raise Refused(503, "busy", "Too many wait at the moment.", retry_after=5) from None
        return not self._gone.done() and loop.time() < until

    def close(self) -> None:
        if self._gone is not None:
            self._gone.cancel()


Handler = Callable[[Call], Awaitable[Any]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    async def handle() -> Answer:
        call = Call(scope, receive)
        try:
            return await _answered(call)
        finally:
            call.close()

    await serve("handoffs" if scope["path"].startswith(HANDOFFS) else "claims", send, handle, _error)


async def _answered(call: Call) -> Answer:
    try:
        found = await _route(call)
    except Wrong as wrong:
        return _problem(422, "This cannot be taken as it is.", errors=[fault.told for fault in wrong.faults])
    except NotYours as error:
        return _problem(403, str(error))
    except KeyUsed:
        faults = [{"field": "key", "type": "used", "message": "Used before."}]
        return _problem(422, "This idempotency key came with something else before.", errors=faults)
    except TooLate as late:
        return _problem(409, str(late), **late.told)
    except ObjectDoesNotExist:
        return _problem(404, "There is no such thing in this workspace.")
    except Unavailable:
        raise unavailable() from None
    return Answer(200, JSON, b"" if call.scope["method"] == "HEAD" else orjson.dumps(found, option=orjson.OPT_UTC_Z))


async def _route(call: Call) -> Any:
    path = call.scope["path"].rstrip("/")
    address, steps = (HANDOFFS, _HANDOFFS) if path.startswith(HANDOFFS) else (CLAIMS, _CLAIMS)
    thing, _, step = path.removeprefix(address).strip("/").partition("/")
    methods = steps.get(thing) if thing == "demands" and not step else steps.get(step if thing else None)
    if methods is None:
        raise ObjectDoesNotExist
    method = "GET" if call.scope["method"] == "HEAD" else call.scope["method"]
    if method not in methods:
        allowed = ", ".join(methods)
        raise Refused(405, "method", f"This address answers {allowed}.", allow=allowed)
    if method == "GET":
        await call.admit(*READERS)
    else:
        await call.admit("work")
        await call.listen()
    return await methods[method](call, thing)


async def _send(call: Call, _: str) -> Any:
    return told(await threads.run(lambda: sending.send(call.speaker, call.given, call.key)))


async def _step(call: Call, thing: str, name: str) -> Any:
    handoff_id = _id(thing)
    return told(await threads.run(lambda: sending.step(call.speaker, handoff_id, name, call.given, call.key)))


async def _handoff(call: Call, thing: str) -> Any:
    handoff_id = _id(thing)
    return told(await threads.run(lambda: sending.one(call.speaker, handoff_id)))


async def _handoffs(call: Call, _: str) -> Any:
    """At once where there are any, else as soon as there are or the time is over."""
    asked, limit, cursor = _asked(call.query), _limit(call.query), call.query.get("cursor") or None
    until = asyncio.get_running_loop().time() + call.seconds
    if call.seconds and not (asked.receiver and asked.state == Passing.SENT):
        raise _wrong("wait", "Only for what is sent `to` an agent, with state=sent.")
    if asked.receiver and call.seconds and not call.speaker.may(asked.receiver):
        raise NotYours(asked.receiver)
    thing = call.speaker.workspace_id, agent_key(asked.receiver)
    while True:
        try:
            page = await threads.run(lambda: lists.listing(call.speaker, asked, limit, cursor))
        except BadCursor:
            raise _wrong("cursor", "One that this list gave out.") from None
        if page.items or not call.seconds or not await call.wait(arriving, thing, until):
            return {"items": [told(row) for row in page.items], "next": page.next}


async def _demands(call: Call, _: str) -> Any:
    """What a pair needs, for a sender that wants to know beforehand."""
    pair = agent_key(call.query.get("from", "")), agent_key(call.query.get("to", ""))
    _asked(call.query)
    row = await threads.run(lambda: demands.row_of(call.speaker.workspace_id, pair))
    found = Demanded.of(row)
    return {
        "from": call.query.get("from"),
        "to": call.query.get("to"),
        "version": found.version or None,
        **found.stored,
    }


async def _claim(call: Call, _: str) -> Any:
    """Granted, or who has it; with `wait` answered once that one is done, or has let it go."""
    until = asyncio.get_running_loop().time() + call.seconds
    while True:
        row, granted = await threads.run(lambda: claims.claim(call.speaker, call.given, call.key))
        over = granted or row.state != Holding.HELD or not call.seconds
        if over or not await call.wait(ending, row.pk, until):
            return claimed(row, datetime.now(UTC), granted=granted)


async def _one_claim(call: Call, thing: str) -> Any:
    claim_id, until = _id(thing), asyncio.get_running_loop().time() + call.seconds
    while True:
        row = await threads.run(lambda: claims.one(call.speaker, claim_id))
        now = datetime.now(UTC)
        waits = call.seconds and row.state == Holding.HELD and row.until > now
        if not waits or not await call.wait(ending, row.pk, until):
            return claimed(row, now, granted=False)


async def _turned(call: Call, thing: str, turn: Callable[[UUID], Claim]) -> Any:
    claim_id = _id(thing)
    row = await threads.run(lambda: turn(claim_id))
    return claimed(row, datetime.now(UTC), granted=row.state == Holding.HELD)


async def _finish(call: Call, thing: str) -> Any:
    return await _turned(call, thing, lambda claim_id: claims.finish(call.speaker, claim_id, call.given))


async def _release(call: Call, thing: str) -> Any:
    return await _turned(call, thing, lambda claim_id: claims.release(call.speaker, claim_id))


async def _extend(call: Call, thing: str) -> Any:
    return await _turned(call, thing, lambda claim_id: claims.extend(call.speaker, claim_id, call.given))


def _named(name: str) -> Callable[[Call, str], Awaitable[Any]]:
    return lambda call, thing: _step(call, thing, name)


Steps = Mapping[str | None, Mapping[str, Callable[[Call, str], Awaitable[Any]]]]
_HANDOFFS: Steps = {
    None: {"GET": _handoffs, "POST": _send},
    "demands": {"GET": _demands},
    "": {"GET": _handoff},
    **{name: {"POST": _named(name)} for name in sending.STEPS},
}
_CLAIMS: Steps = {
    None: {"POST": _claim},
    "": {"GET": _one_claim},
    "result": {"PUT": _finish},
    "release": {"POST": _release},
    "extend": {"POST": _extend},
}


def _asked(query: Mapping[str, str]) -> Asked:
    for name, value in query.items():
        if "\0" in value or len(value) > 300:
            raise _wrong(name[:80], "A text of at most 300 characters.")
    state = query.get("state", "")
    if state not in ("", "open", *Passing.values):
        raise _wrong("state", f"One of open, {', '.join(Passing.values)}.")
    return Asked(query.get("from", ""), query.get("to", ""), state, query.get("run", ""), query.get("q", ""))


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "50")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_LISTED):
        raise _wrong("limit", f"From 1 to {MOST_LISTED}.")
    return int(text)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ObjectDoesNotExist from None


def _wrong(field: str, message: str) -> Wrong:
    return Wrong([Fault(field, "invalid", message)])


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _problem(status: int, detail: str, **more: Any) -> Answer:
    return Answer(status, PROBLEM, orjson.dumps(problem(status, detail, **more), option=orjson.OPT_UTC_Z))


def _error(refused: Refused) -> Answer:
    answer = _problem(refused.status, refused.detail)
    return Answer(answer.status, answer.content_type, answer.body, refused.headers)
