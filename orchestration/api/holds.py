"""The door of holds: ask a person, and wait for the verdict. Lean ASGI, since agents wait here by the hundred.

`POST /api/v1/holds` answers once the question is safe on disk; with no database there is no answer but 503.
`GET /api/v1/holds/{id}?wait=30` answers as soon as the verdict can no longer be taken back, or when the time is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from django.db import close_old_connections, connections

from orchestration.api import auth
from orchestration.api.answers import Answer, serve
from orchestration.api.bodies import Receive, Scope, Send, header, read, room
from orchestration.api.pool import Connection, Pool, Unavailable
from orchestration.api.refusals import Gone, Refused, problem, strange, unavailable
from orchestration.api.waiting import COLUMNS, Full, WaitingRoom
from orchestration.holds import asking, haste, verdicts
from orchestration.holds.asking import Asker
from orchestration.holds.told import SHOWN, told
from orchestration.lib.pulse import publish
from orchestration.outbox.send import hasten
from orchestration.policies.asks import BadAsk
from orchestration.workflows.run_search import find_run
from orchestration.workspaces.keys import Bearer

ADDRESS = "/api/v1/holds"
MOST_BYTES = 2 << 20
KEY_CHARS = 255
LONGEST_S = 60.0
JSON, PROBLEM = "application/json", "application/problem+json"
_ONE = f"select {COLUMNS} from holds_hold where workspace_id = %s and id = %s"

T = TypeVar("T")
pool = Pool()
_thread = ThreadPoolExecutor(1, thread_name_prefix="holds")


async def _apply_due() -> None:
    await _in_thread(verdicts.apply_due)
    await _in_thread(verdicts.expire_due)


waiting = WaitingRoom(pool, _apply_due)


async def startup() -> None:
    await pool.open()


async def shutdown() -> None:
    await waiting.close()
    await pool.close()
    await asyncio.get_running_loop().run_in_executor(_thread, connections.close_all)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    asked = scope["path"].rstrip("/") == ADDRESS

    async def handle() -> Answer:
        return await (_ask(scope, receive) if asked else _tell(scope, receive))

    await serve("holds" if asked else "verdicts", send, handle, _error)


async def _ask(scope: Scope, receive: Receive) -> Answer:
    if scope["method"] != "POST":
        raise Refused(405, "method", "A person is asked by POST.", allow="GET, POST")
    if header(scope, b"content-type").partition(";")[0].strip().lower() != JSON:
        raise Refused(415, "unsupported", f"Send {JSON}.")
    bearer = await auth.recognise(auth.key_in(scope["headers"], scope["query_string"]), "decide")
    with room.share() as take:
        body = await read(scope, receive, take)
    if len(body) > MOST_BYTES:
        raise Refused(413, "too_large", f"A question may have {MOST_BYTES >> 20} MiB.")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(400, "undecodable", "The body is not JSON.") from None
    key = header(scope, b"idempotency-key") or (given.get("key") or "" if isinstance(given, dict) else "")
    status, answer = await _open(bearer, given, key)
    return Answer(status, JSON if status == 200 else PROBLEM, _json(answer))


async def _open(bearer: Bearer, given: Any, key: Any) -> tuple[int, dict[str, Any]]:
    now = datetime.now(UTC)
    try:
        question = asking.read(given, now)
        if not isinstance(key, str) or len(key) > KEY_CHARS or "\0" in key:
            raise BadAsk([("key", f"An idempotency key is a text of at most {KEY_CHARS} characters.")])
    except BadAsk as bad:
        faults = [{"field": name, "message": message} for name, message in bad.faults]
        return 422, problem(422, "A person could not decide this as it is.", errors=faults)
    if not bearer.speaks_for(question.agent):
        return 403, problem(403, f"This key does not speak for the agent {question.agent}.")
    try:
        run_id = await _in_thread(lambda: find_run(bearer.workspace_id, question.run)) if question.run else None
        asker = Asker(bearer.workspace_id, bearer.key_id, key, asking.digest_of(given), run_id, now)
        values, answer = asking.opening(question, asker)

        async def store(connection: Connection) -> Any:
            return await (await connection.execute(asking.OPEN, values)).fetchone()

        if (await pool.run(store))[0]:
            publish(bearer.workspace_id, "batch")
            haste.hasten()
            hasten()
            return 200, answer
        return await _before(bearer.workspace_id, key, asker.digest)
    except Unavailable:
        raise unavailable() from None


async def _before(workspace_id: int, key: str, digest: bytes) -> tuple[int, dict[str, Any]]:
    """What the key was answered the first time: the hold as it was opened."""

    async def look(connection: Connection) -> Any:
        return await (await connection.execute(asking.BEFORE, [workspace_id, key])).fetchone()

    row = await pool.run(look)
    if row is None:
        raise Refused(409, "in_progress", "This key is being answered.", retry_after=1)
    if bytes(row[0] or b"") != digest:
        faults = [{"field": "key", "message": "Used before."}]
        return 422, problem(422, "This idempotency key was used for another question.", errors=faults)
    return 200, told(dict(zip(SHOWN, row[1:], strict=True)) | {"state": "open", "batch": None})


async def _tell(scope: Scope, receive: Receive) -> Answer:
    if scope["method"] not in ("GET", "HEAD"):
        raise Refused(405, "method", "A verdict is asked for by GET.", allow="GET")
    bearer = await _reader(scope)
    seconds = _seconds(scope["query_string"])
    try:
        hold_id = UUID(scope["path"].removeprefix(ADDRESS).strip("/"))
        row = await _one(bearer.workspace_id, hold_id)
    except ValueError:
        row = None
    except Unavailable:
        raise unavailable() from None
    if row is None or not bearer.speaks_for(row["agent"]):
        raise Refused(404, "unknown", "There is no such hold in this workspace.")
    if seconds and row["state"] in ("open", "decided"):
        row = await _wait(bearer, hold_id, seconds, receive) or row
    return Answer(200, JSON, b"" if scope["method"] == "HEAD" else _json(told(row)))


async def _wait(bearer: Bearer, hold_id: UUID, seconds: float, receive: Receive) -> dict[str, Any] | None:
    gone = asyncio.ensure_future(_gone(receive))
    try:
        found = await waiting.wait(hold_id, bearer.key_id, seconds, gone)
        if gone.done():
            raise Gone
        return found
    except Full:
        raise Refused(503, "busy", "Too many wait at the moment.", retry_after=5) from None
    finally:
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reader(scope: Scope) -> Bearer:
    """Agents wait with the scope they ask with; whatever reads the pages may look too."""
    key = auth.key_in(scope["headers"], scope["query_string"])
    try:
        return await auth.recognise(key, "decide")
    except Refused as refused:
        if refused.status != 403:
            raise
    return await auth.recognise(key, "read")


async def _one(workspace_id: int, hold_id: UUID) -> dict[str, Any] | None:
    async def look(connection: Connection) -> Any:
        return await (await connection.execute(_ONE, [workspace_id, hold_id])).fetchone()

    row = await pool.run(look)
    return dict(zip(SHOWN, row, strict=True)) if row else None


def _seconds(query: bytes) -> float:
    """How long to wait at most. Longer than a minute is a minute."""
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    for name, words in strange(asked, ("wait",)):
        raise Refused(422, "invalid", f"{name}: {words}.")
    given = asked.get("wait", ["0"])[-1]
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds < 0:
        raise Refused(422, "invalid", "wait is a number of seconds, 60 at most.")
    return min(seconds, LONGEST_S)


async def _in_thread(work: Callable[[], T]) -> T:
    def run() -> T:
        close_old_connections()
        return work()

    try:
        return await asyncio.get_running_loop().run_in_executor(_thread, run)
    except Exception as error:
        raise Unavailable from error


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def _error(refused: Refused) -> Answer:
    return Answer(refused.status, PROBLEM, orjson.dumps(problem(refused.status, refused.detail)), refused.headers)
