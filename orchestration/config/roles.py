"""What the processes of Baton do, each as a function that runs until a signal ends it."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from celery import signals
from celery.exceptions import SecurityWarning
from celery.utils.dispatch import Signal
from django.conf import settings
from django.db import connections

from orchestration.control import replaying
from orchestration.demo.arrivals import PER_MINUTE

from .asgi import application
from .celery import app
from .supervise import Supervisor, sign_of

KEPT_S = 60.0  # a connection of a worker: tasks are many and short, and a new one costs PostgreSQL more than they do
CHILD_KILOBYTES = 400_000  # a worker's child that has grown beyond is replaced after its task
CHILD_TASKS = 300  # and after so many in any case: what a pile of work has taken it would keep for good


# what the roles import when they start: once before they are forked it is shared by all, else each has its own
SHARED = (
    *("celery.apps.beat", "celery.apps.worker", "orchestration.config.clock"),
    *("celery.concurrency.prefork", "celery.concurrency.solo", "celery.contrib.django.task"),
    *("celery.worker.consumer", "celery.worker.loops"),
    *("uvicorn.lifespan.on", "uvicorn.loops.uvloop", "orchestration.config.http"),
    *("django.contrib.messages.storage.fallback", "django.contrib.sessions.serializers"),
)


def preload() -> None:
    """To be followed by `share_memory`, which looks once for what is left behind."""
    gc.disable()
    for name in SHARED:
        importlib.import_module(name)
    app.loader.import_default_modules()
    app.finalize()


def begin(supervisor: Supervisor, server: socket.socket) -> None:
    supervisor.add("web", web(server))
    supervisor.add("digest", worker("digest", "digest", processes=2), nice=15, signs=True)
    supervisor.add("worker", worker("worker", "work,actions", processes=2), nice=5, signs=True)
    supervisor.add("replay", worker("replay", "replay", processes=0), nice=10, signs=True)
    supervisor.add("beat", beat, signs=True)


def web(server: socket.socket) -> Callable[[], None]:
    def work() -> None:
        gc.set_threshold(10_000, 20, 50)  # answers leave no cycles, and looking for them took a tenth of each
        # pages are served by a new thread each, so their connections come from a pool; workers keep one of their own
        connections["default"].settings_dict["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 8, "timeout": 5}
        config = uvicorn.Config(
            application,
            loop="uvloop",
            http="orchestration.config.http:Protocol",
            lifespan="on",
            interface="asgi3",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # Django and allauth are told which headers to trust
            timeout_graceful_shutdown=5,
            timeout_keep_alive=75,
        )
        uvicorn.Server(config).run(sockets=[server])

    return work


def worker(name: str, queue: str, *, processes: int) -> Callable[[], None]:
    """`processes` that wait for work; 0: one is made for each task (`forking`). As `celery worker` makes it, without
    Celery's command line, whose import brings a terminal's editor."""

    def work() -> None:
        connections["default"].settings_dict["CONN_MAX_AGE"] = KEPT_S
        os.environ["CELERY_SKIP_CHECKS"] = "1"  # the supervisor has made them, and the memory they touch is not shared
        take_scratch(name)
        give_signs(name, signals.task_received)
        replaying.each_beat.append(sign_of(settings.STATE, name).touch)  # a replay outlasts the patience for a sign
        warnings.simplefilter("ignore", SecurityWarning)  # about root, whose danger is pickle; we take JSON only
        made = app.Worker(
            hostname=f"{name}@baton",
            queues=queue,
            concurrency=processes or 1,
            pool_cls="prefork" if processes else "orchestration.config.forking:TaskPool",
            max_memory_per_child=CHILD_KILOBYTES,
            max_tasks_per_child=CHILD_TASKS,
            loglevel="WARNING",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        made.start()
        sys.exit(made.exitcode)

    return work


def beat() -> None:
    """The clock. Its table is static and every entry a sweep, so it keeps no file of when it last ran what."""
    give_signs("beat", signals.after_task_publish)
    app.Beat(scheduler="orchestration.config.clock:Clock", loglevel="WARNING", quiet=True, redirect_stdouts=False).run()


def take_scratch(name: str) -> None:
    """A folder of its own for what is temporary: a worker's pool leaves one behind at each start, and here the next
    start removes it."""
    folder = Path(settings.STATE.folder, "scratch", name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(folder)


def give_signs(name: str, event: Signal) -> None:
    """Touches the file that the supervisor looks at, each time that `event` happens in this process."""
    sign = sign_of(settings.STATE, name)

    def touch(**kwargs: Any) -> None:
        sign.touch()

    event.connect(touch, weak=False)


def demo_memory() -> Path:
    """Where the simulator keeps how far its past is told."""
    return Path(settings.STATE.folder, "demo")


def demo(address: str, key: str, past_key: str) -> Callable[[], None]:
    """Simulated agents. They know Baton's address and two keys, and nothing else of it."""

    def work() -> None:
        wishes = {"BATON_KEY": key, "BATON_DEMO_URL": address, "BATON_DEMO_SEED": "1", "BATON_DEMO_PAST_KEY": past_key}
        wishes |= {"BATON_DEMO_RATE": str(PER_MINUTE), "PYTHONPATH": str(settings.BASE_DIR)}
        wishes |= {"BATON_DEMO_MEMORY": str(demo_memory())}
        # a program of its own: it shares nothing with us, and needs a third of the memory
        os.execve(sys.executable, [sys.executable, "-m", "orchestration.demo"], os.environ | wishes)  # noqa: S606

    return work
