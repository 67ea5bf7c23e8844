"""The door that answers "may I?": lean ASGI beside Django, with connections of its own, so that neither a page nor
ingest at its limit makes an agent wait. Answered only once the decision is safe on disk; with no database there is no
answer but 503, and never an allow.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db import close_old_connections, connections

from orchestration.api import counters, parsed
from orchestration.api.answers import JSON, PROBLEM, Answer
from orchestration.api.bodies import Receive, Scope, Send, header
from orchestration.api.calls import Call, answer, checked_key
from orchestration.api.lanes import Lanes
from orchestration.api.parsed import Ill
from orchestration.api.pool import Connection, Pool, Unavailable
from orchestration.api.refusals import Refused, faults_of, invalid, problem, wrong
from orchestration.autonomy.stops import STOPS_SQL, Stopped, Stops, stops_of
from orchestration.control import decide, facts
from orchestration.control.decide import Asked, Decided
from orchestration.handoffs.given import Wrong
from orchestration.holds import haste
from orchestration.lib.pulse import publish
from orchestration.policies import asks, live
from orchestration.policies.live import Book
from orchestration.routing import moves
from orchestration.routing.moves import Moved, Moves
from orchestration.workflows.run_search import FIND, called
from orchestration.workspaces.keys import Bearer

MOST_BYTES = 2 << 20
MOST_ITEMS = 100
THREADS = 2
TRIES = 4  # with rules that change while they are asked
UNFIT = "The ask cannot be decided as it is."

T = TypeVar("T")
pool = Pool()
lanes = Lanes(decide.STORE, run=FIND)
_books: dict[int, Book] = {}
_stops: dict[int, Stops] = {}  # read with the rules, and in force as long as they are
_moves: dict[int, Moves] = {}  # so are these
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="facts")


async def startup() -> None:
    await pool.open()
    await lanes.open()


async def shutdown() -> None:
    _books.clear()
    together, loop = threading.Barrier(THREADS, timeout=1), asyncio.get_running_loop()
    parting = [loop.run_in_executor(_threads, _part, together) for _ in range(THREADS)]
    await asyncio.gather(*parting, return_exceptions=True)
    await lanes.close()
    await pool.close()


def _part(together: threading.Barrier) -> None:
    """Close a thread's connection; all wait for one another, so that each thread does it."""
    connections.close_all()
    together.wait()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await answer("decisions", scope, receive, send, _answer)


async def _answer(call: Call) -> Answer:
    if call.scope["method"] != "POST":
        raise Refused(405, "method", "Decisions are asked for by POST.", allow="POST")
    await call.admit("decide")
    call.only()
    call.given, ills = parsed.read(await call.body(MOST_BYTES))
    if isinstance(call.given, dict) and "items" in call.given:
        return await _all(call.bearer, call.given, ills)
    status, told = await _one(call.bearer, call.given, header(call.scope, b"idempotency-key") or call.inner or "", ills)
    later = {"Retry-After": str(told["retry_after_s"])} if told.get("retry_after_s") else {}
    return Answer(status, JSON if status == 200 else PROBLEM, orjson.dumps(told), later)


async def _all(bearer: Bearer, given: dict[str, Any], ills: list[Ill]) -> Answer:
    """Each for itself and in order: a bad one takes no other with it."""
    items = given["items"]
    parsed.well([ill for ill in ills if len(ill.place) < 3])
    if not isinstance(items, list) or not items or len(items) > MOST_ITEMS or set(given) != {"items"}:
        raise wrong("items", f"A list of 1 to {MOST_ITEMS} asks, which stands alone.")
    answers = []
    for number, item in enumerate(items):
        key = item.get("key") if isinstance(item, dict) else None
        own = [ill._replace(place=ill.place[2:]) for ill in ills if ill.place[1] == number]
        status, told = await _one(bearer, item, key or "", own)
        answers.append(told if status == 200 else {"error": told})
    return Answer(200, JSON, orjson.dumps({"items": answers}))


async def _one(bearer: Bearer, given: Any, key: Any, ills: list[Ill]) -> tuple[int, dict[str, Any]]:
    """Status and what the caller is told."""
    try:
        parsed.well(ills)
        ask, key = asks.read(given), checked_key(key)
    except asks.BadAsk as bad:
        return 422, invalid(faults_of(bad), UNFIT)
    except Wrong as error:
        return 422, invalid(error, UNFIT)
    if not bearer.speaks_for(ask.agent):
        return 403, problem(403, f"This key does not speak for the agent {ask.agent}.")
    return await _decide(bearer, decide.clean(ask), key or None, decide.digest_of(given))


async def _decide(bearer: Bearer, ask: asks.Ask, key: str | None, digest: bytes) -> tuple[int, dict[str, Any]]:
    workspace_id = bearer.workspace_id
    who = facts.who(workspace_id, ask.agent)
    if who is None:
        who = await _in_thread(lambda: facts.look_up(workspace_id, ask.agent))
    for _ in range(TRIES):
        asked = Asked(ask, workspace_id, bearer.key_id, bool(bearer.agents), who, datetime.now(UTC), key, digest)
        book = _books.get(workspace_id)
        if book is None:
            book = await pool.run(lambda connection: _load(connection, workspace_id))
        decided, fresh, stored = await _with_facts(asked, book)
        if stored:
            if decided.hold:
                publish(workspace_id, "batch")
                haste.hasten()
            return 200, decided.told
        if fresh and key is not None:
            return await _before(workspace_id, key, digest)
        _books.pop(workspace_id, None)
    raise Refused(503, "busy", "The rules change faster than they can be asked.", retry_after=1)


async def _with_facts(asked: Asked, book: Book) -> tuple[Decided, bool, bool]:
    """Decided and stored, with what has to be looked up. Whether the rules were still in force, and whether it was
    stored."""
    if (standing := _stops.get(asked.workspace_id)) and (stopped := await _in_the_way(standing, asked)):
        refused = decide.refuse(asked, book, stopped)
        fresh, stored = await lanes.ask(refused.values(), asked.key or "")
        return refused, fresh == b"1", stored == b"1"
    known = decide.facts_of(asked, book, {})
    needs = decide.needs(book, known)
    if "agent" in needs:
        known |= await _in_thread(lambda: facts.record(asked.workspace_id, asked.who.agent_id))
    if "run" in needs:
        known |= await _in_thread(lambda: facts.run_facts(asked.workspace_id, asked.ask.run))
    if "past" not in needs:
        decided = decide.decide(asked, book, known, _moved(asked), _over(asked))
        run_id = await _run_called(asked) if decided.lacks_run else None
        fresh, stored = await lanes.ask(decided.values(run_id), asked.key or "")
        return decided, fresh == b"1", stored == b"1"
    return await pool.run(lambda connection: _looking_back(connection, asked, book, known))


async def _in_the_way(standing: Stops, asked: Asked) -> Stopped | None:
    """What stops whoever asks. The run's workflow has to be looked up, while one is paused."""
    ask = asked.ask
    found = standing.found(asked.who.agent_id, ask.agent, ask.run, asked.at)
    if found or not (standing.workflows and ask.run):
        return found
    told = await _in_thread(lambda: facts.run_facts(asked.workspace_id, ask.run))
    return standing.of_workflow(told.get("run.workflow", ""), asked.at)


def _over(asked: Asked) -> Stopped | None:
    """By what whoever asks is supervised."""
    standing = _stops.get(asked.workspace_id)
    return standing.over(asked.who.agent_id, asked.ask.agent, asked.at) if standing is not None else None


def _moved(asked: Asked) -> Moved | None:
    """To whom this work goes now."""
    standing = _moves.get(asked.workspace_id)
    if not standing:
        return None
    ask = asked.ask
    return moves.found(standing, asked.who.agent_id, ask.agent, (ask.system, ask.type), asked.at)


async def _looking_back(
    connection: Connection, asked: Asked, book: Book, known: dict[str, Any]
) -> tuple[Decided, bool, bool]:
    """Rules that count what was asked before see each other's asks one after the other: whoever asks about the same
    account, customer, run or agent waits for the one before to commit."""
    subjects = asks.subjects_of(asked.ask)
    columns = list(subjects), list(subjects.values())
    async with connection.transaction():
        await connection.execute(decide.LOCK_PAST, [asked.workspace_id, *columns])
        rows = await (
            await connection.execute(
                decide.READ_PAST,
                {
                    "workspace": asked.workspace_id,
                    "subjects": columns[0],
                    "values": columns[1],
                    "type": asked.ask.type,
                    "now": asked.at,
                },
            )
        ).fetchall()
        decided = decide.decide(asked, book, known | decide.past_facts(rows), _moved(asked), _over(asked))
        run_id = await _run_of(connection, asked) if decided.lacks_run else None
        row = await (await connection.execute(decide.STORE, decided.values(run_id))).fetchone()
    fresh, stored = row or (0, 0)
    return decided, bool(fresh), bool(stored)


async def _run_called(asked: Asked) -> UUID | None:
    """The run that the ask names."""
    found = (await lanes.ask(called(asked.workspace_id, asked.ask.run), name="run"))[0]
    return UUID(found.decode()) if found else None


async def _run_of(connection: Connection, asked: Asked) -> UUID | None:
    """The same within a transaction."""
    row = await (await connection.execute(FIND, called(asked.workspace_id, asked.ask.run))).fetchone()
    return row[0] if row else None


async def _load(connection: Connection, workspace_id: int) -> Book:
    await connection.execute(live.OPEN_SQL, [workspace_id])
    rows = await (await connection.execute(live.LIVE_SQL, [workspace_id])).fetchall()
    stopped = await (await connection.execute(STOPS_SQL, [workspace_id])).fetchall()  # after the generation was read
    moved = await (await connection.execute(moves.MOVES_SQL, [workspace_id])).fetchall()
    _stops[workspace_id], _moves[workspace_id] = stops_of(stopped), moves.moves_of(moved)
    _books[workspace_id] = live.book_of(rows)
    return _books[workspace_id]


async def _before(workspace_id: int, key: str, digest: bytes) -> tuple[int, dict[str, Any]]:
    """What the key was answered the first time."""

    async def look(connection: Connection) -> Any:
        return await (await connection.execute(decide.STORED_BEFORE, [workspace_id, key])).fetchone()

    row = await pool.run(look)
    if row is None:
        raise Refused(409, "in_progress", "This key is being answered.", retry_after=1)
    if bytes(row[0]) != digest:
        return 422, invalid(wrong("key", "Used before.", "used"), "This idempotency key was used for another ask.")
    if not row[1]:
        return 410, problem(410, "This key was answered, and the decision is past its retention.")
    return 200, row[1]


async def _in_thread(work: Callable[[], T]) -> T:
    def run() -> T:
        close_old_connections()
        return work()

    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, run)
    except Exception as error:
        counters.refused.labels("decisions", "facts").inc()
        raise Unavailable from error
