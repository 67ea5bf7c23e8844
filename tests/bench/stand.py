"""Baton as `make run` starts it, on a throw-away state folder: to be loaded, measured and hurt.

Everything is done from outside: processes are known by the pid files of the state folder and by /proc, and the
database is read by a connection of our own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg

from orchestration.config.postgres import Postgres
from orchestration.config.processes import die_with_parent, recall
from orchestration.config.state import State
from tests import prepared

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = ("web", "digest", "worker", "replay", "beat")
ENGINES = ("postgres", "valkey")
SCOPES = "ingest,read,decide"
TICK = os.sysconf("SC_CLK_TCK")
UNREAD = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # knows no authority: all is plain HTTP, and to read them takes 40 ms


class Stand:
    """A running Baton. Use `stand()`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.state = State(folder)
        self.environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        self.environment |= {"BATON_STATE": str(folder), "BATON_PORT": str(port), "PYTHONUNBUFFERED": "1"}
        self.environment["BATON_WEBHOOK_NETWORKS"] = "127.0.0.1/32"  # where receivers of a bench stand
        self.environment["DJANGO_SETTINGS_MODULE"] = "orchestration.config.settings"
        self.up: subprocess.Popen[bytes] | None = None
        self.url = ""
        self._spare: list[Tenant] = []
        self._shell: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start, and answer after how many seconds it was ready."""
        begun = time.monotonic()
        with (self.folder / "up.log").open("ab") as out:
            command = [sys.executable, "manage.py", "up"]
            tied = partial(die_with_parent, os.getpid(), signal.SIGINT)  # nothing outlives a bench that is killed
            self.up = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=self.environment,
                stdout=out,
                stderr=out,
                preexec_fn=tied,  # noqa: PLW1509
            )
        self.until((self.folder / "address").exists, 120)
        self.url = (self.folder / "address").read_text().strip()
        self.until(self.ready, 120)
        return time.monotonic() - begun

    def stop(self) -> float:
        """End it as Ctrl-C does, and answer how long that took."""
        if self._shell:
            self._shell.communicate()
            self._shell = None
        begun = time.monotonic()
        if self.up and self.up.poll() is None:
            self.up.send_signal(signal.SIGCONT)
            self.up.send_signal(signal.SIGINT)
            try:
                self.up.wait(60)
            except subprocess.TimeoutExpired:
                self.up.kill()
        return time.monotonic() - begun

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2, verify=UNREAD).status_code == 200
        except httpx.HTTPError:
            return False

    def until(self, condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> float:
        """Wait for it, and answer how long; a bench that waits in vain must not go on."""
        begun = time.monotonic()
        while not condition():
            if self.up and self.up.poll() is not None:
                raise RuntimeError(f"Baton ended: {(self.folder / 'up.log').read_text()[-1500:]}")
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"not within {seconds} s: {condition}")
            time.sleep(pause)
        return time.monotonic() - begun

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stderr[-800:]}")
        return done.stdout.strip()

    def ask(self, code: str) -> Any:
        """What `code` leaves in `said`. In one process for all that is asked, since a command takes longer to start
        than most of that takes; with a connection of its own each time, since the server may have been killed."""
        if self._shell is None:
            command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", ANSWER]
            self._shell = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        asking, answers = self._shell.stdin, self._shell.stdout
        assert asking
        assert answers
        print(json.dumps(code), file=asking, flush=True)
        said = json.loads(answers.readline())
        if "failed" in said:
            raise RuntimeError(said["failed"])
        return said["said"]

    def workspace(self) -> Tenant:
        """A workspace of its own for each measurement, so that its figures are its own."""
        if not self._spare:
            self._spare = [Tenant(self, *made) for made in self.ask(MAKE_WORKSPACES)]
        return self._spare.pop()

    def default(self) -> Tenant:
        """The workspace that the first start made, whose pages its admin sees."""
        with self.connect() as connection:
            row = connection.execute("select id from workspaces_workspace where slug = 'default'").fetchone()
        assert row
        return Tenant(
            self, row[0], self.manage("create_key", "--workspace", "default", "--name", "b", "--scopes", SCOPES)
        )

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(**Postgres(self.state).dsn(), autocommit=True)  # type: ignore[arg-type]

    def pid(self, part: str) -> int | None:
        found = recall(self.state.pids / part)
        return found.pid if found else None

    def family(self, part: str) -> list[int]:
        """A part's process and all below it."""
        root = self.pid(part)
        return [root, *below(root)] if root else []

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> None:
        if pid := self.pid(part):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_children(self, part: str) -> int:
        pids = self.family(part)[1:]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """The supervisor sleeps: what dies stays dead."""
        assert self.up
        self.up.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.up.send_signal(signal.SIGCONT)

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU by part so far, of children that have ended too."""
        return {part: sum(seconds(pid) for pid in self.family(part)) for part in (*OURS, *ENGINES)}

    def memory(self) -> dict[str, float]:
        """Megabytes by part; what processes share is divided among them."""
        parts = {part: sum(megabytes(pid) for pid in self.family(part)) for part in (*OURS, *ENGINES)}
        return parts | {"supervisor": megabytes(self.up.pid) if self.up else 0.0}

    def private(self, *parts: str) -> float:
        """Megabytes that these parts hold for themselves. What they share with their parent is in it, so only how it
        changes says something; but asking takes a seventh of what `memory` does, which may be missed under load."""
        return sum(anonymous(pid) for part in parts for pid in self.family(part))


WAITING = "select count(*) from telemetry_delivery where workspace_id = %s and poisoned_at is null"
UNSETTLED = "select count(*) from workflows_trace where workspace_id = %s and due_at is not null"

ANSWER = """
import json, sys, traceback
from django.db import connections
for line in sys.stdin:
    names = {}
    try:
        exec(json.loads(line), names)
        said = {"said": names.get("said")}
    except Exception:
        said = {"failed": traceback.format_exc()}
    connections.close_all()
    print(json.dumps(said), flush=True)
"""
MAKE_WORKSPACES = f"""
import secrets
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
slugs = ["bench-" + secrets.token_hex(4) for _ in range(8)]
made = [Workspace.objects.create(slug=slug, name=slug) for slug in slugs]
said = [[one.pk, create_key(one, "bench", {SCOPES!r}.split(","))[1]] for one in made]
"""


class Tenant:
    """A workspace of the stand, with a key."""

    def __init__(self, stand: Stand, number: int, key: str) -> None:
        self.stand, self.id, self.key = stand, number, key
        self._client = httpx.Client(headers={"Authorization": f"Bearer {key}"}, verify=UNREAD)

    def get(self, path: str, timeout: float = 20.0) -> Any:
        """An answer of the API. On one kept connection, since a page of figures costs less than a connection."""
        answer = self._client.get(self.stand.url + path, timeout=timeout)
        answer.raise_for_status()
        return answer.json()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.stand.connect() as connection:
            return connection.execute(query, [self.id, *values]).fetchall()

    def spans(self) -> int:
        return int(self.rows("select count(*) from telemetry_span where workspace_id = %s")[0][0])

    def digested(self, timeout: float = 300.0) -> float:
        """Wait until nothing waits any more; unix time of that moment."""
        return self.none_left(WAITING, timeout)

    def settled(self, timeout: float = 300.0) -> float:
        """Wait until every run is settled too."""
        self.digested(timeout)
        return self.none_left(UNSETTLED, timeout)

    def none_left(self, query: str, timeout: float) -> float:
        """On one connection: making one each time costs what is measured some of its processor."""
        with self.stand.connect() as connection:
            self.stand.until(lambda: connection.execute(query, [self.id]).fetchone() == (0,), timeout)
        return time.time()


@contextmanager
def stand(port: int = 8240) -> Iterator[Stand]:
    folder = Path(tempfile.mkdtemp(prefix="baton-bench-"))
    folder.chmod(0o711)  # as root PostgreSQL runs as another account, which has to reach it
    baton = Stand(folder / "state", port)
    baton.folder.mkdir(mode=0o711)
    prepared.lay(baton.state)
    try:
        baton.start()
        yield baton
    finally:
        baton.stop()
        shutil.rmtree(folder, ignore_errors=True)


def below(pid: int) -> list[int]:
    """All descendants of a process."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        fields = stat(int(entry.parent.name))
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on (field 3)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def seconds(pid: int) -> float:
    """CPU of a process, and of its children that have ended."""
    fields = stat(pid)
    return sum(int(value) for value in fields[11:15]) / TICK if fields else 0.0


def anonymous(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")), 0.0)


def megabytes(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
