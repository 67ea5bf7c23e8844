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

from orchestration.lib.beside import Beside

SPACING_S = 0.5  # at most two signals a second for each topic of a workspace
PATIENCE_S = 0.25  # for Redis to answer
REST_S = 5.0  # without a try, after it did not

Key = tuple[int, str]
Body = dict[str, Any]

_lock = threading.Lock()
_sent: dict[Key, float] = {}
_held: dict[Key, Body] = {}
_now: list[tuple[Key, Body]] = []
_state: dict[str, Any] = {"client": None, "resting_until": 0.0}


def channel(workspace_id: int) -> str:
    return f"baton:pulse:{workspace_id}"


def publish(workspace_id: int, topic: str, body: Body | None = None) -> None:
    """Tells the workspace's open pages that `topic` (run, agent, load, policy, batch) has changed. Never raises, never
    waits.

    To be called after the commit: a page that is told asks at once.
    """
    key, now = (workspace_id, topic), time.monotonic()
    with _lock:
        known = key in _held
        if known or now < _sent.get(key, -SPACING_S) + SPACING_S:
            _held[key] = body or {}
        else:
            _sent[key] = now
            _now.append((key, body or {}))
    if not known:
        _beside.wake()


def _send_due() -> float | None:
    """Send what may be sent; in how many seconds there is more."""
    now = time.monotonic()
    with _lock:
        due = list(_now)
        _now.clear()
        for key in [key for key in _held if _sent.get(key, 0.0) + SPACING_S <= now]:
            _sent[key] = now
            due.append((key, _held.pop(key)))
        later = [_sent.get(key, now) for key in _held]
    for key, body in due:
        _send(key, body)
    return max(0.0, min(later) + SPACING_S - time.monotonic()) if later else None


def _send(key: Key, body: Body) -> None:
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
        _now.clear()
        _state.update(client=None, resting_until=0.0)


_beside = Beside("pulse", _send_due)
