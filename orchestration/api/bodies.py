"""Reads the body of a request: within bounds of size, time and memory, whether its length was told or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any

from django.conf import settings

from orchestration.api.refusals import Gone, Refused, busy

READ_S = 30.0
HELD_BYTES = 48 << 20  # of all bodies that are being worked on

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Room:
    """Memory for bodies, from their first byte to the answer. One for the process."""

    def __init__(self, size: int) -> None:
        self.left = size

    def share(self) -> Share:
        """Call what you are given with the size of each part; it raises Refused (503) when there is no more room."""
        return Share(self)


class Share:
    """What one request takes of the room, until its end."""

    __slots__ = ("_room", "_taken")

    def __init__(self, room: Room) -> None:
        self._room, self._taken = room, 0

    def __enter__(self) -> Callable[[int], None]:
        return self._take

    def __exit__(self, *_: object) -> None:
        self._room.left += self._taken

    def _take(self, size: int) -> None:
        self._taken += size
        self._room.left -= size
        if self._room.left < 0:
            raise busy("Too much is being received at the moment.")


room = Room(HELD_BYTES)


def header(scope: Scope, name: bytes) -> str:
    """A header's value; "" when it was not sent. ASGI names are lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1").strip()
    return ""


async def read(scope: Scope, receive: Receive, take: Callable[[int], None]) -> bytes:
    """The body as it came. Raises Refused, or Gone when the client went away.

    A request without a length that turns out to be empty is refused: an empty body is a valid empty request, and a
    proxy that loses chunks would make Baton thank for data that it never got.
    """
    told = header(scope, b"content-length")
    if told and (not told.isdigit() or int(told) > settings.INGEST_BYTES):
        raise too_large()
    if getattr(getattr(receive, "__self__", None), "more_body", True):
        try:
            async with asyncio.timeout(READ_S):
                body = await _whole(receive, take)
        except TimeoutError:
            raise Refused(408, "slow", f"The body did not arrive within {READ_S:.0f} seconds.") from None
    else:  # uvicorn says that all of it is here: it came with the head, and a clock costs as much as reading it
        body = await _whole(receive, take)
    if not body and not told:
        raise Refused(400, "bad_request", "The body is empty and no Content-Length says that it should be.")
    return body


async def _whole(receive: Receive, take: Callable[[int], None]) -> bytes:
    part, more = await _part(receive, 0)
    take(len(part))
    if not more:
        return part
    buffer = BytesIO()  # gives its content without another copy, where joining parts would hold all of it twice
    buffer.write(part)
    while more:
        part, more = await _part(receive, buffer.tell())
        take(len(part))
        buffer.write(part)
    return buffer.getvalue()


async def _part(receive: Receive, before: int) -> tuple[bytes, bool]:
    """And whether there is more."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    part: bytes = message.get("body", b"")
    if before + len(part) > settings.INGEST_BYTES:
        raise too_large()
    return part, message.get("more_body", False)


def too_large() -> Refused:
    return Refused(
        413, "too_large", f"The body may have {settings.INGEST_BYTES >> 20} MiB, unpacked: send smaller batches."
    )
