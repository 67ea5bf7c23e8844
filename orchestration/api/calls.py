"""One request of a lean door: who speaks and for whom, what was said, and how long the answer may take. What a door
does with it is one function; every way in which that can end is answered here, in the same words at all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import parse_qs

from orchestration.api import auth
from orchestration.api.answers import JSON, Answer, refuse, serve, unfit
from orchestration.api.bodies import Receive, Scope, Send, header, read, room
from orchestration.api.parsed import parsed
from orchestration.api.pool import Unavailable
from orchestration.api.refusals import Refused, only, unavailable, wrong
from orchestration.api.watching import Watch
from orchestration.handoffs.given import Speaker, Wrong
from orchestration.workspaces.keys import Bearer

MOST_BYTES = 1 << 20
KEY_CHARS = 255
LONGEST_S = 60.0

K = TypeVar("K", bound=Hashable)


class Call:
    """One request: who speaks, what was said, and how long the answer may take."""

    bearer: Bearer

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        query = scope["query_string"]
        self.parameters = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
        self.query = {name: values[-1] for name, values in self.parameters.items() if values[-1]}
        self.given: Any = None
        self._gone: asyncio.Future[Any] | None = None

    async def admit(self, *scopes: str) -> None:
        """Any of the scopes will do."""
        key = auth.key_in(self.scope["headers"], self.scope["query_string"])
        for each in scopes:
            try:
                self.bearer = await auth.recognise(key, each)
            except Refused as refused:
                if refused.status != 403 or each == scopes[-1]:
                    raise
            else:
                return

    @property
    def speaker(self) -> Speaker:
        return Speaker(self.bearer.workspace_id, self.bearer.key_id, self.bearer.agents)

    async def body(self, most: int = MOST_BYTES) -> bytes:
        """What was sent: JSON, or nothing at all."""
        with room.share() as take:
            body = await read(self.scope, self.receive, take)
        if len(body) > most:
            size = f"{most >> 20} MiB" if most >= 1 << 20 else f"{most >> 10} KiB"
            raise Refused(413, "too_large", f"A request may have {size} here.")
        if body and header(self.scope, b"content-type").partition(";")[0].strip().lower() != JSON:
            raise Refused(415, "unsupported", f"Send {JSON}.")
        return body

    async def listen(self, most: int = MOST_BYTES) -> None:
        """Read the body."""
        body = await self.body(most)
        self.given = parsed(body) if body else None

    @property
    def inner(self) -> Any:
        """The `key` of the body."""
        return self.given.get("key") if isinstance(self.given, dict) else ""

    def key(self, inner: Any = "") -> str:
        """The idempotency key: of the header, else `inner`."""
        return checked_key(header(self.scope, b"idempotency-key") or inner or "")

    def only(self, *known: str) -> None:
        """Raises Wrong, naming what is asked for by a name that is not among the known ones."""
        only(self.parameters, known)

    @property
    def seconds(self) -> float:
        """How long to wait at most. Longer than a minute is a minute."""
        return bounded(self.query.get("wait", "0"))

    @property
    def gone(self) -> asyncio.Future[Any]:
        """Done once there is nobody to answer."""
        if self._gone is None:
            self._gone = asyncio.ensure_future(_gone(self.receive))
        return self._gone

    async def wait(self, watch: Watch[K], thing: K, until: float) -> bool:
        """Whether there is still somebody to answer, and time left."""
        loop = asyncio.get_running_loop()
        left = until - loop.time()
        if left <= 0:
            return False
        await watch.wait(thing, self.bearer.key_id, left, self.gone)
        return not self.gone.done() and loop.time() < until

    def close(self) -> None:
        if self._gone is not None:
            self._gone.cancel()


async def answer(
    signal: str, scope: Scope, receive: Receive, send: Send, work: Callable[[Call], Awaitable[Answer]]
) -> None:
    """Send what `work` makes of the call."""

    async def handle() -> Answer:
        call = Call(scope, receive)
        try:
            return await work(call)
        except Wrong as error:
            return unfit(error)
        except Unavailable:
            raise unavailable() from None
        finally:
            call.close()

    await serve(signal, send, handle, refuse)


def checked_key(key: Any) -> str:
    """Raises Wrong."""
    if not isinstance(key, str) or len(key) > KEY_CHARS or "\0" in key:
        raise wrong("key", f"An idempotency key is a text of at most {KEY_CHARS} characters.")
    return key


def bounded(wait: str | float) -> float:
    """Seconds to wait at most. Raises Wrong."""
    try:
        seconds = float(wait)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds < 0:
        raise wrong("wait", "A number of seconds, 60 at most.")
    return min(seconds, LONGEST_S)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
