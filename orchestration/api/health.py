"""Whether Baton lives, whether it can take data, and its figures for Prometheus. No telemetry is in any of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

import psycopg
import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from orchestration.api import counters
from orchestration.api.backlog import WAITING
from orchestration.api.pool import parameters
from orchestration.api.refusals import Away
from orchestration.workspaces.current import open_to_all

FRESH_S = 0.25  # however often they are asked, dependencies are tried four times a second
PATIENCE_S = 2

OK = "ok"


@open_to_all
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives; asks nothing else."""
    return JsonResponse({"status": OK})


@open_to_all
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Names each dependency; 503 when one of them keeps Baton from taking data or from working on it."""
    found = _dependencies.look()
    ready = all(state == OK for state in found.values())
    answer = JsonResponse({"status": OK if ready else "not ready", **found}, status=200 if ready else 503)
    if not ready:
        answer["Retry-After"] = "2"
    return answer


@open_to_all
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures of this process and of the backlog, as Prometheus reads them."""
    for name, state in _dependencies.look().items():
        counters.ready.labels(name).set(state == OK)
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


@dataclass
class Dependencies:
    """What Baton stands on, tried on connections of their own: none of the doors' or pages' is held up by a trial."""

    tried_at: float = 0.0
    until: float = 0.0
    found: dict[str, str] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def look(self) -> dict[str, str]:
        with self.lock:
            began = time.monotonic()
            denied = self.found.get("database") == OK and self.tried_at <= Away.told_at
            if began >= self.until or denied:
                self.found = {"database": OK, "broker": _tried(_broker), "backlog": OK}
                self.found |= _database()
                self.tried_at, self.until = began, time.monotonic() + FRESH_S
            return self.found


def _database() -> dict[str, str]:
    try:
        with psycopg.connect(
            **parameters() | {"connect_timeout": PATIENCE_S, "options": f"-c statement_timeout={PATIENCE_S}s"}
        ) as connection:
            waiting = connection.execute(WAITING).fetchall()
    except psycopg.Error as error:
        return {"database": _failure(error), "backlog": "unknown"}
    items = sum(int(each) for _, each, _ in waiting)
    counters.show_backlog(items, min((oldest for _, _, oldest in waiting), default=None), datetime.now(UTC))
    return {"backlog": OK if items <= settings.INGEST_BACKLOG else f"{items} items wait"}


def _broker() -> None:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S, retry=None
    )
    try:
        client.ping()
    finally:
        client.close()


def _tried(ask: Callable[[], None]) -> str:
    try:
        ask()
    except (redis.RedisError, OSError) as error:
        return _failure(error)
    return OK


def _failure(error: Exception) -> str:
    """The kind of failure: messages of drivers tell addresses and accounts to whoever asks."""
    return f"does not answer ({type(error).__name__})"


_dependencies = Dependencies()
