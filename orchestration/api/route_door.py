"""The door that says who should get work: lean ASGI, since whatever hands work out asks before each piece of it.
What is asked and answered is described in `route`."""

from __future__ import annotations

import orjson
from pydantic import ValidationError as Invalid

from orchestration.api.answers import Answer, serve
from orchestration.api.bodies import Receive, Scope, Send
from orchestration.api.calls import JSON, Call
from orchestration.api.coordination import threads
from orchestration.api.pool import Unavailable
from orchestration.api.refusals import Refused, problem, unavailable
from orchestration.api.route import RouteIn, Wrong, answer
from orchestration.handoffs.given import Wrong as Unfit

ADDRESS = "/api/v1/route"
PROBLEM = "application/problem+json"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    async def handle() -> Answer:
        if scope["method"] != "POST":
            raise Refused(405, "method", "This address answers POST.", allow="POST")
        call = Call(scope, receive)
        try:
            return await _answered(call)
        finally:
            call.close()

    await serve("route", send, handle, _error)


async def _answered(call: Call) -> Answer:
    await call.admit("decide")
    try:
        await call.listen()
        wanted = RouteIn.model_validate(call.given)
        space, key_id = call.speaker.workspace_id, call.speaker.key_id
        found = await threads.run(lambda: answer(space, key_id, wanted, call.key))
    except Invalid as error:
        return _wrong([(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()])
    except Unfit as error:
        return _wrong([(each.field, each.message) for each in error.faults])
    except Wrong as error:
        return _wrong([(error.field, str(error))])
    except Unavailable:
        raise unavailable() from None
    return Answer(200, JSON, orjson.dumps(found))


def _wrong(faults: list[tuple[str, str]]) -> Answer:
    errors = [{"field": field, "detail": detail} for field, detail in faults]
    words = "; ".join(f"{field}: {detail}" for field, detail in faults)
    return Answer(422, PROBLEM, orjson.dumps(problem(422, words, errors=errors)))


def _error(refused: Refused) -> Answer:
    return Answer(refused.status, PROBLEM, orjson.dumps(problem(refused.status, refused.detail)), refused.headers)
