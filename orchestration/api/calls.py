"""One request of a lean door: who speaks and for whom, what was said, and how long the answer may take."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from math import isfinite
from typing import Any
from urllib.parse import parse_qs

import orjson

from orchestration.api import auth
from orchestration.api.bodies import Receive, Scope, header, read, room
from orchestration.api.refusals import Refused, strange
from orchestration.api.watching import Full, Watch
from orchestration.handoffs.given import Fault, Speaker, Wrong

MOST_BYTES = 1 << 20
KEY_CHARS = 255
LONGEST_S = 60.0
JSON = "application/json"


class Call:
    """One request: who speaks, what was said, and how long the answer may take."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.parameters = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        self.query = {name: values[-1] for name, values in self.parameters.items() if values[-1]}
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
            raise wrong("key", f"An idempotency key is a text of at most {KEY_CHARS} characters.")
        self.key = key

    def only(self, known: Collection[str]) -> None:
        """Raises Wrong, naming what is asked for by a name that is not among the known ones."""
        faults = [Fault(name, "unknown", words) for name, words in strange(self.parameters, known)]
        if faults:
            raise Wrong(faults)

    @property
    def seconds(self) -> float:
        """How long to wait at most. Longer than a minute is a minute."""
        try:
            seconds = float(self.query.get("wait", "0"))
        except ValueError:
            seconds = -1.0
        if not isfinite(seconds) or seconds < 0:
            raise wrong("wait", "A number of seconds, 60 at most.")
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


def wrong(field: str, message: str) -> Wrong:
    return Wrong([Fault(field, "invalid", message)])


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
