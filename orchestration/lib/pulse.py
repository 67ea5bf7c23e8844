"""Signals to open pages that something has changed: a topic and a few words on a Redis channel, never content.

Losing one costs a page some seconds, so nothing here waits, fails loudly or is repeated. A burst is one signal at its
begin and one at its end, so that the last change of a burst is seen too.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import orjson
import redis
from django.conf import settings

SPACING_S = 0.5  # at most two signals a second for each topic of a workspace
PATIENCE_S = 0.25  # for Redis to answer
REST_S = 5.0  # without a try, after it did not

Body = dict[str, Any]

_lock = threading.Lock()
_sent: dict[tuple[int, str], float] = {}
_held: dict[tuple[int, str], Body] = {}
_state: dict[str, Any] = {"client": None, "resting_until": 0.0}


def channel(workspace_id: int) -> str:
    return f"baton:pulse:{workspace_id}"


def publish(workspace_id: int, topic: str, body: Body | None = None) -> None:
    """Tells the workspace's open pages that `topic` (run, agent, load, policy, batch) has changed. Never raises, never
    waits long.

    To be called after the commit: a page that is told asks at once.
    """
    key, now = (workspace_id, topic), time.monotonic()
    with _lock:
        waiting = key in _held
        wait = _sent.get(key, -SPACING_S) + SPACING_S - now
        if waiting or wait > 0:
            _held[key] = body or {}
        else:
            _sent[key] = now
    if waiting:
        return
    if wait > 0:
        timer = threading.Timer(wait, _send_held, (key,))
        timer.daemon = True
        timer.start()
        return
    _send(key, body or {})


def _send_held(key: tuple[int, str]) -> None:
    with _lock:
        body = _held.pop(key, {})
        _sent[key] = time.monotonic()
    _send(key, body)


def _send(key: tuple[int, str], body: Body) -> None:
    workspace_id, topic = key
    if time.monotonic() < _state["resting_until"]:
        return
    try:
        _client().publish(channel(workspace_id), orjson.dumps({"topic": topic, **body}))
    except (redis.RedisError, OSError, orjson.JSONEncodeError):
        _state["resting_until"] = time.monotonic() + REST_S


def _client() -> redis.Redis:
    client = _state["client"]
    if client is None:
        client = _state["client"] = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S
        )
    return client  # type: ignore[no-any-return]


def forget() -> None:
    """Empty the memory, between tests."""
    with _lock:
        _sent.clear()
        _held.clear()
        _state.update(client=None, resting_until=0.0)
