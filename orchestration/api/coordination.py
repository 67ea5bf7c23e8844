"""The door of handoffs and claims. Lean ASGI, since agents speak here before each piece of work, and wait here by the
hundred: for work that is handed to them, and for the result of who was quicker.

What is asked goes to the database in a few threads of its own, never those of pages; who waits holds none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist

from orchestration.api.answers import Answer, fault, tell, unfit
from orchestration.api.bodies import Receive, Scope, Send
from orchestration.api.calls import Call, answer
from orchestration.api.coordination_waits import Receiver, claims_over, handed
from orchestration.api.pool import Pool
from orchestration.api.refusals import Refused, wrong
from orchestration.api.threads import Threads
from orchestration.api.watching import Watch
from orchestration.control.taking import Barred, free
from orchestration.handoffs import claims, demands, lists, parties, sending
from orchestration.handoffs.demands import Demanded
from orchestration.handoffs.given import KeyUsed, NotYours, TooLate, Wrong
from orchestration.handoffs.lists import Asked
from orchestration.handoffs.models import Claim, Holding, Passing
from orchestration.handoffs.told import claimed, told
from orchestration.lib.paging import BadCursor

HANDOFFS, CLAIMS = "/api/v1/handoffs", "/api/v1/claims"
MOST_LISTED = 100
READERS = ("work", "read")

pool = Pool()
threads = Threads("coordination")
arriving: Watch[Receiver] = Watch(pool, handed)
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


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await answer("handoffs" if scope["path"].startswith(HANDOFFS) else "claims", scope, receive, send, _answered)


async def _answered(call: Call) -> Answer:
    try:
        return tell(await _route(call), body=call.scope["method"] != "HEAD")
    except Wrong as error:
        return unfit(error, "This cannot be taken as it is.")
    except NotYours as error:
        return fault(403, str(error))
    except Barred as stop:
        again = {"Retry-After": str(stop.again_s)} if stop.again_s else {}
        return fault(403, str(stop), again, stopped=stop.kind, retry_after_s=stop.again_s or None)
    except KeyUsed:
        used = wrong("key", "Used before.", "used")
        return unfit(used, "This idempotency key came with something else before.")
    except TooLate as late:
        return fault(409, str(late), **late.told)
    except ObjectDoesNotExist:
        return fault(404, "There is no such thing in this workspace.")


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
    call.only(*_PARAMETERS.get(methods[method], ()))
    return await methods[method](call, thing)


async def _send(call: Call, _: str) -> Any:
    key = call.key(call.inner)
    return told(await threads.run(lambda: sending.send(call.speaker, call.given, key, free)))


async def _step(call: Call, thing: str, name: str) -> Any:
    handoff_id, key = _id(thing), call.key(call.inner)
    return told(await threads.run(lambda: sending.step(call.speaker, handoff_id, name, call.given, key, free)))


async def _handoff(call: Call, thing: str) -> Any:
    handoff_id = _id(thing)
    return told(await threads.run(lambda: sending.one(call.speaker, handoff_id)))


async def _handoffs(call: Call, _: str) -> Any:
    """At once where there are any, else as soon as there are or the time is over."""
    asked, limit, cursor = _asked(call.query), _limit(call.query), call.query.get("cursor") or None
    until = asyncio.get_running_loop().time() + call.seconds
    if call.seconds and not (asked.receiver and asked.state == Passing.SENT):
        raise wrong("wait", "Only for what is sent `to` an agent, with state=sent.")
    if asked.receiver and call.seconds and not call.speaker.may(asked.receiver):
        raise NotYours(asked.receiver)
    space, receiver = call.speaker.workspace_id, asked.receiver
    thing = space, await threads.run(lambda: parties.party(space, receiver))
    while True:
        try:
            page = await threads.run(lambda: lists.listing(call.speaker, asked, limit, cursor))
        except BadCursor:
            raise wrong("cursor", "One that this list gave out.") from None
        if page.items or not call.seconds or not await call.wait(arriving, thing, until):
            return {"items": [told(row) for row in page.items], "next": page.next}


async def _demands(call: Call, _: str) -> Any:
    """What a pair needs, for a sender that wants to know beforehand."""
    asked, space = _asked(call.query), call.speaker.workspace_id
    found = await threads.run(
        lambda: Demanded.of(demands.row_of(space, parties.between(space, asked.sender, asked.receiver)))
    )
    return {
        "from": call.query.get("from"),
        "to": call.query.get("to"),
        "version": found.version or None,
        **found.stored,
    }


async def _claim(call: Call, _: str) -> Any:
    """Granted, or who has it; with `wait` answered once that one is done, or has let it go."""
    until, key = asyncio.get_running_loop().time() + call.seconds, call.key()
    while True:
        row, granted = await threads.run(lambda: claims.claim(call.speaker, call.given, key, free))
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
    return await _turned(call, thing, lambda claim_id: claims.extend(call.speaker, claim_id, call.given, free))


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

_PARAMETERS: Mapping[Any, tuple[str, ...]] = {
    _handoffs: ("from", "to", "state", "run", "q", "limit", "cursor", "wait"),
    _demands: ("from", "to"),
    _claim: ("wait",),
    _one_claim: ("wait",),
}


def _asked(query: Mapping[str, str]) -> Asked:
    for name, value in query.items():
        if "\0" in value or len(value) > 300:
            raise wrong(name[:80], "A text of at most 300 characters.")
    state = query.get("state", "")
    if state not in ("", "open", *Passing.values):
        raise wrong("state", f"One of open, {', '.join(Passing.values)}.")
    return Asked(query.get("from", ""), query.get("to", ""), state, query.get("run", ""), query.get("q", ""))


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "50")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_LISTED):
        raise wrong("limit", f"From 1 to {MOST_LISTED}.")
    return int(text)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ObjectDoesNotExist from None
