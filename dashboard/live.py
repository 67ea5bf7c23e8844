"""The event stream of open pages: topics that have changed, never content. Pages ask again for what they show.

One subscription to Redis feeds all streams of a process. A stream costs a small object in the event loop and neither a
thread nor a database connection, so that any number of open pages leaves room for agents.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import redis.asyncio
import structlog
from asgiref.sync import SyncToAsync, sync_to_async
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from redis.exceptions import RedisError

from orchestration.workspaces.current import MEMBER, settle_in

log = structlog.get_logger(__name__)

TOPICS = ("run", "agent", "load", "policy", "batch")
QUIET_S = 15.0  # something is said at least this often, so that proxies keep the stream open
LIFE_S = 600.0  # then the page opens another, and its rights are looked at again
BLIND_S = 5.0  # without Redis nothing is heard: pages are told to look this often
MOST = 2000  # streams of one process; a page beyond that looks every 15 s

QUIET = b"event: quiet\ndata: {}\n\n"  # an event, so that a page knows its data to be current

Signals = dict[str, bytes]


class Listener:
    """What one stream has still to send: the newest word of each topic."""

    def __init__(self, workspace_id: int) -> None:
        self.workspace_id = workspace_id
        self._waiting: Signals = {}
        self._rung = asyncio.Event()

    def tell(self, topic: str, message: bytes) -> None:
        self._waiting[topic] = message
        self._rung.set()

    async def heard(self) -> Signals:
        """What has come, as soon as something has; nothing after `QUIET_S`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S):  # `wait_for` of Python 3.11 forgets a page that leaves as it is rung
                await self._rung.wait()
        self._rung.clear()
        taken, self._waiting = self._waiting, {}
        return taken


class Broadcaster:
    """Hears Redis for all streams of one event loop, while there are any."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._blind = False

    @contextlib.contextmanager
    def listening(self, workspace_id: int) -> Iterator[Listener]:
        listener = Listener(workspace_id)
        self.listeners.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(told_of)
        try:
            yield listener
        finally:
            self.listeners.discard(listener)
            if not self.listeners and self._task:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._hear()
            self._blind = True
            self._look_again()
            await asyncio.sleep(BLIND_S)

    async def _hear(self) -> None:
        client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, health_check_interval=5)
        async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.psubscribe("baton:pulse:*")
            if self._blind:
                self._blind = False
                self._look_again()  # something may have happened meanwhile
            while True:
                message = await subscription.get_message(timeout=5.0)  # and a look at whether Redis is still there
                if message and message["type"] == "pmessage":
                    self._pass_on(message["channel"], message["data"])

    def _pass_on(self, channel: bytes, data: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            workspace_id, topic = int(channel.rsplit(b":", 1)[1]), orjson.loads(data)["topic"]
            if topic in TOPICS:
                for listener in self.listeners:
                    if listener.workspace_id == workspace_id:
                        listener.tell(topic, data)

    def _look_again(self) -> None:
        for listener in self.listeners:
            for topic in TOPICS:
                listener.tell(topic, orjson.dumps({"topic": topic}))


def told_of(task: asyncio.Task[None]) -> None:
    """A broadcaster ends when it is no longer needed; any other end is a fault of ours, and pages then look seldom."""
    if not task.cancelled():
        log.error("no more signals for open pages", exc_info=task.exception())


_broadcasters: dict[asyncio.AbstractEventLoop, Broadcaster] = {}


def broadcaster() -> Broadcaster:
    """The one of this event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _broadcasters:
        for ended in [each for each in _broadcasters if each.is_closed()]:
            del _broadcasters[ended]
        _broadcasters[loop] = Broadcaster()
    return _broadcasters[loop]


async def live(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """`/live/`: `event: <topic>` with a small JSON body, for the workspace of the session."""
    workspace_id = await sync_to_async(workspace_of)(request)
    if workspace_id is None:
        return HttpResponse(status=401)
    if len(broadcaster().listeners) >= MOST:
        return HttpResponse(status=503, headers={"Retry-After": "15"})
    request.META.pop("HTTP_ACCEPT_ENCODING", None)  # compressed, a signal would wait in the compressor
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(stream(workspace_id), content_type="text/event-stream", headers=headers)


live.needs = MEMBER  # type: ignore[attr-defined]


def workspace_of(request: Any) -> int | None:
    """The workspace that the session works in."""
    if not request.user.is_authenticated:
        return None
    try:
        settle_in(request)
    except PermissionDenied:
        return None
    return int(request.workspace.pk)


async def stream(workspace_id: int) -> AsyncIterator[bytes]:
    """Signals as they come. It begins when all middleware has done its part, so what that needed is given back here."""
    await sync_to_async(connections.close_all)()
    let_go_of_thread()
    until = asyncio.get_running_loop().time() + LIFE_S
    with broadcaster().listening(workspace_id) as listener:
        yield b": hello\n\n"
        while asyncio.get_running_loop().time() < until:
            signals = await listener.heard()
            yield b"".join(b"event: %s\ndata: %s\n\n" % (t.encode(), m) for t, m in signals.items()) or QUIET


def let_go_of_thread() -> None:
    """Ends the thread that Django keeps for this request's synchronous code until the answer is complete, which for a
    stream is minutes. What is synchronous after that (closing the answer) gets a new one."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.pop(context, None) if context else None
    if isinstance(executor, ThreadPoolExecutor):
        executor.shutdown(wait=False)
