"""A whole Baton, started as people start it, on a state folder of its own."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.error import URLError

from orchestration.config.processes import die_with_parent
from tests.waiting import LONG_S, came_true

ROOT = Path(__file__).resolve().parents[2]
OURS = ("DATABASE_URL", "REDIS_URL", "DATABASE_URL_FILE", "REDIS_URL_FILE")
PARTS = ("web", "digest", "worker", "replay", "beat", "postgres", "valkey")


class Running:
    """Start and end it, find its processes, ask its pages."""

    def __init__(self, state: Path, *, port: int = 0, python: str = sys.executable, **servers: str) -> None:
        self.state, self.python, self.servers = state, python, servers
        self._wished = port or free_port()
        self.process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where it says it is, since the port may have been taken meanwhile."""
        said = self.state / "address"
        return (said.read_text().strip() if said.exists() else "") or f"http://127.0.0.1:{self._wished}"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        return kept | {"BATON_STATE": str(self.state), "BATON_PORT": str(self._wished)} | self.servers

    def start(self, *arguments: str) -> Running:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [self.python, str(ROOT / "manage.py"), "up", *arguments],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGINT),  # noqa: PLW1509  not to outlive us
            )
        assert came_true(self.answers), "it did not start in time"
        return self

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [self.python, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(
            command, env=self.environment | more, capture_output=True, text=True, check=False, timeout=120
        )

    def open(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that is talked to."""
        command = [self.python, str(ROOT / "manage.py"), *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def end(self, number: signal.Signals = signal.SIGINT) -> str:
        """What it printed, once it has ended."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.communicate(timeout=LONG_S)[0]

    def pid(self, part: str) -> int:
        try:
            return int((self.state / "pids" / part).read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return 0

    def runs(self, part: str) -> bool:
        """Whether the process of that number is this Baton's: the note of one that is gone may still lie there."""
        return belongs(Path("/proc", str(self.pid(part))), self.state)

    def answers(self, patience: float = 5) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/healthz", timeout=patience) as answer:
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


def free_port() -> int:
    """One below those that the system gives to whoever connects, so that it is still free when a server wants it."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
