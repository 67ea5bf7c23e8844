"""The door of holds: ask a person, and wait for the verdict. Lean ASGI, since agents wait here by the hundred.

`POST /api/v1/holds` answers once the question is safe on disk; with no database there is no answer but 503.
`GET /api/v1/holds/{id}?wait=30` answers as soon as the verdict can no longer be taken back, or when the time is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import close_old_connections, connections

from orchestration.api.answers import Answer, fault, tell, unfit
from orchestration.api.bodies import Receive, Scope, Send
from orchestration.api.calls import Call, answer
from orchestration.api.pool import Connection, Pool, Unavailable
from orchestration.api.refusals import Gone, Refused, faults_of, wrong
from orchestration.api.waiting import COLUMNS, WaitingRoom
from orchestration.holds import asking, haste, verdicts
from orchestration.holds.asking import Asker, Question
from orchestration.holds.told import SHOWN, told
from orchestration.lib.pulse import publish
from orchestration.outbox.send import hasten
from orchestration.policies.asks import BadAsk
from orchestration.workflows.run_search import find_run

ADDRESS = "/api/v1/holds"
MOST_BYTES = 2 << 20
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
    if scope["path"].rstrip("/") == ADDRESS:
        await answer("holds", scope, receive, send, _ask)
    else:
        await answer("verdicts", scope, receive, send, _tell)


async def _ask(call: Call) -> Answer:
    if call.scope["method"] != "POST":
        raise Refused(405, "method", "A person is asked by POST.", allow="GET, POST")
    await call.admit("decide")
    await call.listen(MOST_BYTES)
    call.only()
    now = datetime.now(UTC)
    try:
        question = asking.read(call.given, now)
    except BadAsk as bad:
        return unfit(faults_of(bad), "A person could not decide this as it is.")
    if not call.bearer.speaks_for(question.agent):
        return fault(403, f"This key does not speak for the agent {question.agent}.")
    return await _open(call, question, call.key(call.inner), now)


async def _open(call: Call, question: Question, key: str, now: datetime) -> Answer:
    space, digest = call.bearer.workspace_id, asking.digest_of(call.given)
    run_id = await _in_thread(lambda: find_run(space, question.run)) if question.run else None
    values, opened = asking.opening(question, Asker(space, call.bearer.key_id, key, digest, run_id, now))

    async def store(connection: Connection) -> Any:
        return await (await connection.execute(asking.OPEN, values)).fetchone()

    if not (await pool.run(store))[0]:
        return await _before(space, key, digest)
    publish(space, "batch")
    haste.hasten()
    hasten()
    return tell(opened)


async def _before(workspace_id: int, key: str, digest: bytes) -> Answer:
    """What the key was answered the first time: the hold as it was opened."""

    async def look(connection: Connection) -> Any:
        return await (await connection.execute(asking.BEFORE, [workspace_id, key])).fetchone()

    row = await pool.run(look)
    if row is None:
        raise Refused(409, "in_progress", "This key is being answered.", retry_after=1)
    if bytes(row[0] or b"") != digest:
        return unfit(wrong("key", "Used before.", "used"), "This idempotency key was used for another question.")
    return tell(told(dict(zip(SHOWN, row[1:], strict=True)) | {"state": "open", "batch": None}))


async def _tell(call: Call) -> Answer:
    """Agents wait with the scope they ask with; whatever reads the pages may look too."""
    if call.scope["method"] not in ("GET", "HEAD"):
        raise Refused(405, "method", "A verdict is asked for by GET.", allow="GET")
    await call.admit("decide", "read")
    call.only("wait")
    seconds = call.seconds
    try:
        hold_id = UUID(call.scope["path"].removeprefix(ADDRESS).strip("/"))
        row = await _one(call.bearer.workspace_id, hold_id)
    except ValueError:
        row = None
    if row is None or not call.bearer.speaks_for(row["agent"]):
        raise Refused(404, "unknown", "There is no such hold in this workspace.")
    if seconds and row["state"] in ("open", "decided"):
        found = await waiting.wait(hold_id, call.bearer.key_id, seconds, call.gone)
        if call.gone.done():
            raise Gone
        row = found or row
    return tell(told(row), body=call.scope["method"] != "HEAD")


async def _one(workspace_id: int, hold_id: UUID) -> dict[str, Any] | None:
    async def look(connection: Connection) -> Any:
        return await (await connection.execute(_ONE, [workspace_id, hold_id])).fetchone()

    row = await pool.run(look)
    return dict(zip(SHOWN, row, strict=True)) if row else None


async def _in_thread(work: Callable[[], T]) -> T:
    def run() -> T:
        close_old_connections()
        return work()

    try:
        return await asyncio.get_running_loop().run_in_executor(_thread, run)
    except Exception as error:
        raise Unavailable from error
