"""A whole Baton, started as people start it, on a state folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).resolve().parents[2]
OURS = ("DATABASE_URL", "REDIS_URL", "DATABASE_URL_FILE", "REDIS_URL_FILE")
PARTS = ("web", "digest", "worker", "replay", "beat", "postgres", "valkey")


class Running:
    """Start and end it, find its processes, ask its pages."""

    def __init__(self, state: Path, *, port: int = 0, python: str = sys.executable) -> None:
        self.state, self.python = state, python
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        return kept | {"BATON_STATE": str(self.state), "BATON_PORT": str(self.port)}

    def start(self, *arguments: str) -> Running:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [self.python, str(ROOT / "manage.py"), "up", *arguments],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        until(self.answers, 60)
        return self

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [self.python, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(
            command, env=self.environment | more, capture_output=True, text=True, check=False, timeout=60
        )

    def end(self, number: signal.Signals = signal.SIGINT) -> str:
        """What it printed, once it has ended."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.communicate(timeout=60)[0]

    def pid(self, part: str) -> int:
        try:
            return int((self.state / "pids" / part).read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return 0

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def left(self) -> list[str]:
        """Processes that still work on the state folder, or were forked for it."""
        return [entry.name for entry in Path("/proc").glob("[0-9]*") if belongs(entry, self.state)]


def belongs(entry: Path, state: Path) -> bool:
    try:
        if (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return False
        return str(state).encode() in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
