"""The door that says who should get work: lean ASGI, since whatever hands work out asks before each piece of it.
What is asked and answered is described in `route`."""

from __future__ import annotations

from pydantic import ValidationError

from orchestration.api.answers import Answer, tell
from orchestration.api.bodies import Receive, Scope, Send
from orchestration.api.calls import Call
from orchestration.api.calls import answer as serve
from orchestration.api.coordination import threads
from orchestration.api.refusals import Refused
from orchestration.api.route import RouteIn, answer
from orchestration.handoffs.given import Fault, Wrong

ADDRESS = "/api/v1/route"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await serve("route", scope, receive, send, _answered)


async def _answered(call: Call) -> Answer:
    if call.scope["method"] != "POST":
        raise Refused(405, "method", "This address answers POST.", allow="POST")
    await call.admit("decide")
    call.only()
    await call.listen()
    wanted = _read(call)
    space, key_id, key = call.bearer.workspace_id, call.bearer.key_id, call.key()
    return tell(await threads.run(lambda: answer(space, key_id, wanted, key)))


def _read(call: Call) -> RouteIn:
    try:
        return RouteIn.model_validate(call.given)
    except ValidationError as error:
        faults = error.errors()
    raise Wrong(Fault(".".join(map(str, each["loc"])), "invalid", each["msg"]) for each in faults)
