"""Keeps Baton's processes alive: web, two workers, beat, and the engines below them.

The supervisor imports everything once and forks, so that the children share that memory and start in no time. It has
one thread, owns the listening socket (a client that comes while web is being restarted waits and is not refused) and
does nothing but watch. Who dies is started again, after a pause that doubles while it keeps dying. Should the
supervisor itself be killed, the kernel ends the children (`die_with_parent`); what that misses, the next start ends.
"""

from __future__ import annotations

import errno
import gc
import logging.config
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from django.core.exceptions import ImproperlyConfigured

from . import broker, engines
from .logs import logging_config
from .processes import Process, born, die_with_parent, name_of, recall, remember, set_name, wait_for
from .state import State

log = structlog.get_logger(__name__)

STEADY = 10.0  # seconds after which a process counts as having started well
LONGEST_PAUSE = 5.0
LOG_BYTES = 5_000_000  # of each log; one older generation is kept
SILENCE = 75.0  # seconds without a sign of life; longer than the longest task
PATIENCE = 10.0  # seconds that children have to finish what they do
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def maker() -> Process | None:
    """The `make` that started us: when it is killed, so that nobody stands in front any more, that is the end."""
    parent = Process(os.getppid(), born(os.getppid()))
    return parent if name_of(parent.pid) in {"make", "gmake"} else None


@dataclass
class Part:
    """One process that should run: a function for a forked child, or an engine."""

    name: str
    launch: Callable[[], Process]
    sign: Path | None = None  # a file that the process touches as long as it does its work
    process: Process | None = None
    started: float = 0.0
    heard: float = 0.0
    failures: int = 0

    def start(self) -> None:
        self.process = self.launch()
        self.started, self.heard = time.monotonic(), time.time()

    def silent(self) -> bool:
        """Whether it lives but works no more. Without a broker there is no work, and nobody is to blame."""
        if self.sign is None or time.time() - self.heard < SILENCE:
            return False
        with suppress(FileNotFoundError):
            self.heard = max(self.heard, self.sign.stat().st_mtime)
        if time.time() - self.heard < SILENCE:
            return False
        if not broker.answers():
            self.heard = time.time()
            return False
        return True

    @property
    def pause(self) -> float:
        return min(0.25 * 2**self.failures, LONGEST_PAUSE) if self.failures else 0.0


@dataclass
class Supervisor:
    """Starts parts in order, watches them, ends them in reverse."""

    state: State
    parts: list[Part] = field(default_factory=list)
    ending: bool = False
    each_round: Callable[[], None] | None = None  # called about once a second while watching
    _due: dict[str, float] = field(default_factory=dict)
    _wakeup: int = -1
    _maker: Process | None = field(default_factory=maker)

    def adopt(self, engine: engines.Engine) -> None:
        """Watches an engine that runs already."""
        part = Part(engine.name, lambda: engines.launch(engine), process=engine.running(), started=time.monotonic())
        self.parts.append(part)

    def add(self, name: str, work: Callable[[], None], *, nice: int = 0, signs: bool = False) -> None:
        """Starts a child that does `work` until it is told to end; `signs`: it gives signs of life."""
        part = Part(name, lambda: self._fork(name, work, nice), sign_of(self.state, name) if signs else None)
        self.parts.append(part)
        part.start()

    def _fork(self, name: str, work: Callable[[], None], nice: int) -> Process:
        parent = os.getpid()
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return remember(self.state.pids / name, pid)
        code = 1
        try:
            become_child(parent, self.state.logs / f"{name}.log", nice)
            work()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            log.exception("process failed", process=name)
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def watch(self) -> None:
        """Returns when a signal asked for the end. Called while it is `listening`."""
        while not self.ending:
            select.select([self._wakeup], [], [], 1.0 if not self._due else 0.1)
            drain(self._wakeup)
            self.tend()
            bound_logs(self.state.logs)
            if self.each_round:
                self.each_round()
            if self._maker and not self._maker.alive:
                self.ending = True

    def tend(self) -> None:
        """Looks at each part once, and starts again what has died and is due."""
        for part in self.parts:
            self._tend(part)

    def _tend(self, part: Part) -> None:
        if part.name in self._due:
            if time.monotonic() >= self._due[part.name] and not self.ending:
                del self._due[part.name]
                self._restart(part)
            return
        reap(part.process)
        if part.process is None or not part.process.alive:
            part.failures = 0 if time.monotonic() - part.started > STEADY else part.failures + 1
            self._due[part.name] = time.monotonic() + part.pause
            log.warning("process ended", process=part.name, again_in_s=part.pause)
        elif part.silent():
            log.error("process gives no sign of life", process=part.name, for_s=SILENCE)
            part.process.send(signal.SIGKILL)

    def _restart(self, part: Part) -> None:
        try:
            part.start()
        except Exception as error:  # an engine that cannot start now may in a while: a full disk, a lock
            log.error("process did not start", process=part.name, error=str(error))
            part.process = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals wake the loop; a second request to end is obeyed at once by `stop`. From before the first fork: an
        exception that a signal raises while a process forks is lost."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self._wakeup = reader
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in ENDINGS:
            signal.signal(number, self._end)
        yield
        signal.set_wakeup_fd(-1)

    def _end(self, *_: object) -> None:
        self.ending = True

    def stop(self) -> None:
        """Ends the children, all at once; the engines are ended by whoever started them."""
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        own = [part.process for part in self.parts if part.name not in engines.STOPS and part.process]
        for number, seconds in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 2.0)):
            for process in own:
                process.send(number)
            if wait_for(lambda: all(ended(process) for process in own), seconds):
                return


def sign_of(state: State, name: str) -> Path:
    return state.pids / f"{name}.sign"


def become_child(parent: int, log_file: Path, nice: int) -> None:
    """What every child does before its work: signals, output, priority as if it had been started alone."""
    signal.set_wakeup_fd(-1)
    for number in (*ENDINGS, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()  # Ctrl-C is for the supervisor
    set_name(f"baton {log_file.stem}")
    die_with_parent(parent, signal.SIGKILL)  # one that waits for a broker would not heed a gentler one
    out = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    logging.config.dictConfig(logging_config())  # again: it looks whether a person watches
    if nice:
        os.nice(nice)


def reap(process: Process | None) -> None:
    if process:
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def ended(process: Process) -> bool:
    reap(process)
    return not process.alive


def end_old(files: list[Path]) -> None:
    """Ends what an earlier supervisor left behind, should the kernel not have done so."""
    old = [process for file in files if (process := recall(file))]
    for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)):
        for process in old:
            process.send(number)
        if wait_for(lambda: not any(process.alive for process in old), seconds):
            return
    log.error("old processes do not end", pids=[process.pid for process in old])


def drain(reader: int) -> None:
    with suppress(BlockingIOError):
        while os.read(reader, 4096):
            pass


def bound_logs(folder: Path) -> None:
    """Keeps each log below its size. They are written in append mode, so that emptying one under its writer is safe."""
    for file in folder.glob("*.log"):
        if file.stat().st_size > LOG_BYTES:
            file.with_suffix(".log.1").write_bytes(file.read_bytes())
            os.truncate(file, 0)


def share_memory() -> None:
    """To be called before forking: objects alive now will not be touched by the children's collectors."""
    gc.collect()
    gc.freeze()
    gc.enable()


def listen(host: str, port: int) -> tuple[socket.socket, int]:
    """A listening socket on the port, or on the next free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + 100, 65536)):
        server = socket.socket(family, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, candidate))
            server.listen(2048)
        except OSError as error:
            server.close()
            if error.errno != errno.EADDRINUSE:
                raise ImproperlyConfigured(f"BATON_HOST {host}, BATON_PORT {candidate}: {error.strerror}.") from error
            continue
        return server, candidate
    raise ImproperlyConfigured(f"BATON_PORT {port} is taken, and so are the next 100.")
