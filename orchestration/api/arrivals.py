"""From the head of a request to an unpacked body, in the order in which a refusal costs least:

1. head      method, type, key, scope          401 403 405 415
2. room      backlog and quota                 429 503, nothing read yet
3. body      within its bounds                 400 408 413
4. slot      few at a time from here on        503
5. unpack    again within bounds               400 413

What the doors then do with it is theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings

from orchestration.api import auth
from orchestration.api.bodies import Receive, Scope, header, read, room, too_large
from orchestration.api.intake import AT_ONCE, Parcel, intake
from orchestration.api.quota import quotas
from orchestration.api.refusals import Refused
from orchestration.lib.memory import give_back
from orchestration.telemetry import packing
from orchestration.telemetry.admission import TooMany, Undecodable
from orchestration.workspaces.keys import Bearer

COMPRESSIONS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd"}
SMALL_PACKED = 4 << 10  # even one made to grow to the limit takes some milliseconds
INLINE_BYTES = 512 << 10  # what takes longer than a few milliseconds is done in a thread

T = TypeVar("T")
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="door")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A body that came, not unpacked yet."""

    bearer: Bearer
    compression: str  # "" | gzip | deflate | zstd
    body: bytes
    leave: Callable[[], None]

    async def work(self, step: Callable[[bytes], T]) -> T:
        """What `step` makes of the unpacked body. Raises Refused for what cannot be unpacked or decoded."""
        try:
            body = self.body
            if self.compression:
                body = await self._unpacked()
            if len(body) <= INLINE_BYTES:
                return step(body)
            async with intake().large:
                try:
                    return await _in_thread(lambda: step(body))
                finally:
                    await _in_thread(give_back)
        except packing.TooLarge:
            raise too_large() from None
        except TooMany as error:
            raise Refused(413, "too_large", f"{error}.") from None
        except Undecodable as error:
            raise Refused(400, "undecodable", f"{error}.") from None

    async def _unpacked(self) -> bytes:
        def unpack() -> bytes:
            return packing.unpack(self.body, self.compression, settings.INGEST_BYTES)

        return unpack() if len(self.body) <= SMALL_PACKED else await _in_thread(unpack)

    async def store(self, parcel: Parcel) -> None:
        """The parcel is safe on disk when this returns."""
        if parcel.small:
            self.leave()
        await intake().store(parcel)

    async def packed(self) -> tuple[str, bytes]:
        """Compression and body for the journal: as received when the client compressed it."""
        if self.compression:
            return self.compression, self.body
        if len(self.body) <= INLINE_BYTES:
            return "zstd", packing.pack(self.body)
        return "zstd", await _in_thread(lambda: packing.pack(self.body))


async def _in_thread(step: Callable[[], T]) -> T:
    """For what may take longer than a few milliseconds. Two threads and no more: each has a heap of its own, which a
    large body leaves large."""
    return await asyncio.get_running_loop().run_in_executor(_threads, step)


@asynccontextmanager
async def arrival(scope: Scope, receive: Receive) -> AsyncIterator[Arrival]:
    """An arrival with a slot to work on it. Raises Refused, or Gone."""
    bearer = await auth.recognise(auth.key_in(scope["headers"], scope["query_string"]), "ingest")
    try:
        compression = _compression(scope)
        intake().backlog.check(bearer.workspace_id)
        quotas.check(bearer)
        with room.share() as take:
            body = await read(scope, receive, take)
            async with intake().slot() as leave:
                yield Arrival(bearer, compression, body, leave)
    except Refused as refused:
        refused.workspace_id = bearer.workspace_id
        raise


def _compression(scope: Scope) -> str:
    compression = COMPRESSIONS.get(header(scope, b"content-encoding").lower())
    if compression is None:
        known = ", ".join(name for name in COMPRESSIONS if name)
        raise Refused(415, "unsupported", f"This Content-Encoding is not known here; these are: {known}.")
    return compression
