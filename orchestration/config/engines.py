"""The engines of a state folder, together: start, attach, stop.

Whoever uses them holds a share of the lock `engines.users`. The first one starts what does not run yet, the last one
to leave stops it: so a command attaches to what `make run` started, or starts the engines for its own time, and two
such commands do not stop each other's. (The locks are of the kind that a forked child does not inherit.)
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from django.core.exceptions import ImproperlyConfigured

from . import env, grants
from .postgres import Postgres, clean_environment
from .processes import Process, die_with_parent, owned_by, recall, remember, wait_for
from .state import State, locked, private
from .valkey import Valkey

Engine = Postgres | Valkey
PATIENCE = {"postgres": 120.0, "valkey": 5.0}  # seconds; PostgreSQL may have a crash to recover from
STOPS = {
    "postgres": ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0)),  # fast, immediate, never mind
    "valkey": ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)),
}
_started: dict[int, subprocess.Popen[bytes]] = {}  # our own children, kept so that they can be reaped


def of(state: State, *, durable: bool = True) -> list[Engine]:
    """The engines that this environment wants embedded: none whose server is named by a variable."""
    wanted: list[Engine] = []
    if not env.secret("DATABASE_URL"):
        wanted.append(Postgres(state, durable))
    if not env.secret("REDIS_URL"):
        wanted.append(Valkey(state))
    return wanted


def start(engines: list[Engine], *, lasting: bool = False) -> None:
    """Starts those that do not run yet, all at once, and returns when all of them answer.

    `lasting` ones stay when the process that started them is killed; the others go with it.
    """
    for engine in engines:
        if not serves(engine):
            launch(engine, lasting=lasting)
    for engine in engines:
        await_answer(engine)
        engine.furnish()


def serves(engine: Engine) -> bool:
    """Whether it runs and answers; one that is starting up, or on its way out, is waited for."""
    if engine.running() is None:
        return False
    wait_for(lambda: gone(engine) or engine.answers(), PATIENCE[engine.name])
    return not gone(engine) and engine.answers()


def launch(engine: Engine, *, lasting: bool = False) -> Process:
    """Starts one engine without waiting for it."""
    stop(engine)
    own_folder(engine.state)
    log = engine.state.logs / f"{engine.name}.log"
    farewell = signal.SIGINT if engine.name == "postgres" else signal.SIGKILL
    command = engine.prepare()
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=clean_environment(),
            start_new_session=True,  # Ctrl-C is for us: we stop the engines last
            preexec_fn=None  # noqa: PLW1509  we have one thread
            if lasting
            else partial(die_with_parent, os.getpid(), farewell),
            **owned_by(engine.account),
        )
    _started[child.pid] = child
    return remember(engine.state.pids / engine.name, child.pid)


def await_answer(engine: Engine) -> None:
    wait_for(lambda: gone(engine) or engine.answers(), PATIENCE[engine.name])
    if gone(engine) or not engine.answers():
        log = engine.state.logs / f"{engine.name}.log"
        raise ImproperlyConfigured(f"{engine.name.title()} does not start. The end of {log} says: {last_words(engine)}")


def gone(engine: Engine) -> bool:
    """Whether it has ended; also reaps it when it was a child of ours."""
    for pid, child in list(_started.items()):
        if child.poll() is not None:
            del _started[pid]
    return recall(engine.state.pids / engine.name) is None


def last_words(engine: Engine) -> str:
    lines = (engine.state.logs / f"{engine.name}.log").read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-3:])


def stop(engine: Engine) -> None:
    process = engine.running()
    if process is None:
        return
    for number, seconds in STOPS[engine.name]:
        process.send(number)
        if wait_for(lambda: gone(engine), seconds):
            return


def own_folder(state: State) -> None:
    """Makes the sockets' folder, and makes sure that it is a folder which nobody else can enter."""
    account = state.account
    path = state.sockets
    try:
        path.mkdir(mode=0o700)
        os.chown(path, account.pw_uid, account.pw_gid)
    except FileExistsError:
        found = path.lstat()
        if found.st_uid != account.pw_uid or not stat.S_ISDIR(found.st_mode):
            raise ImproperlyConfigured(f"{path} belongs to another user than {account.pw_name}: remove it.") from None
        path.chmod(0o700)


@contextmanager
def attached(
    state: State, *, durable: bool = True, lasting: bool = True, migrating: bool = False
) -> Iterator[list[Engine]]:
    """The engines run inside this block: attached to, or started for its time.

    Not `lasting`: they are this process's own, go with it even when it is killed, and end with the block in any case.
    `migrating`: the ledger's tables may be altered inside the block.
    """
    engines = of(state, durable=durable)
    with open(state.folder / "engines.users", "a+", opener=private) as users:
        try:
            with taking_turns(state):
                fcntl.lockf(users, fcntl.LOCK_SH)
                start(engines, lasting=lasting)
            with ledger_lent(engines if migrating else []):
                yield engines
        finally:
            with taking_turns(state):
                if locked(users) or not lasting:
                    for engine in reversed(engines):
                        stop(engine)


def ledger_lent(engines: Sequence[Engine]) -> AbstractContextManager[None]:
    """For migrations: the role that runs them may alter the ledger's tables inside this block. A server of one's own
    has one role for everything, so nothing need be lent."""
    return grants.lent([engine.dsn(user="postgres") for engine in engines if isinstance(engine, Postgres)])


@contextmanager
def taking_turns(state: State) -> Iterator[None]:
    """Two processes at once: the second attaches to what the first one starts."""
    with open(state.folder / "engines.turn", "a+", opener=private) as turn:
        fcntl.lockf(turn, fcntl.LOCK_EX)
        yield
