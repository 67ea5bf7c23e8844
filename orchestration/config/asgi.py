"""The web application: a lean dispatcher in front of Django.

Telemetry and decisions arrive thousands of times a minute, and Django's handler costs more than they do. So the doors
are plain ASGI applications that are asked first. All of them are woken at start-up, not by the first request.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.config.settings")

from django.core.asgi import get_asgi_application

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

pages = cast(App, get_asgi_application())

from orchestration.api import coordination, decisions, events, holds, leases, otlp, route_door
from orchestration.config.celery import app

# no request waits longer than this for a broker that is away or hangs
HASTE = {"max_retries": 0, "socket_connect_timeout": 0.2, "socket_timeout": 0.4}
DOORS = (otlp, events, decisions, holds, coordination, leases)  # `application`, perhaps `startup` and `shutdown`


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "http":
        await choose(scope["path"], scope)(scope, receive, send)


def choose(path: str, scope: Scope | None = None) -> App:
    if path.startswith("/v1/"):
        return otlp.application
    if path == "/api/v1/decisions":
        return decisions.application
    if path == "/api/v1/events":
        return events.application
    if path == leases.ADDRESS or path.startswith(f"{leases.ADDRESS}/"):
        return leases.application
    if path == route_door.ADDRESS:
        return route_door.application
    if scope and path.startswith(holds.ADDRESS) and for_holds(path, scope):
        return holds.application
    if scope and coordination.takes(scope):
        return coordination.application
    return pages


def for_holds(path: str, scope: Scope) -> bool:
    """Agents ask and wait there with their keys. Lists, and people who look, are the pages' business."""
    if path == holds.ADDRESS:
        return scope["method"] not in ("GET", "HEAD")
    return path.startswith(f"{holds.ADDRESS}/") and any(name == b"authorization" for name, _ in scope["headers"])


async def live(receive: Receive, send: Send) -> None:
    """Starts the doors before the first request and ends them after the last one."""
    await receive()
    app.conf.broker_transport_options = app.conf.broker_transport_options | HASTE
    try:
        await each("startup")
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await each("shutdown")
    await send({"type": "lifespan.shutdown.complete"})


async def each(moment: str) -> None:
    for door in DOORS:
        if step := getattr(door, moment, None):
            await step()
