"""The Celery application. Importing `orchestration.config` brings it, so that every process publishes to one broker."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from celery import Celery, signals
from django.db import close_old_connections

from . import broker  # noqa: F401  its transport
from .processes import die_with_parent
from .schedule import SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.config.settings")

app = Celery("baton")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = SCHEDULE
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """A receiver is all that Celery needs to leave Django's logging alone."""


app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize  # by itself Celery ends the connection before and after each task


@signals.task_prerun.connect
@signals.task_postrun.connect
def keep_connections(**kwargs: Any) -> None:
    """As Django's handler does around requests: one that is old or broken is ended, a dead one found before its use."""
    close_old_connections()


_worker = 0  # whose children are forked from here


@signals.worker_init.connect
def note_the_worker(**kwargs: Any) -> None:
    global _worker  # noqa: PLW0603  one for the process
    _worker = os.getpid()


@signals.worker_process_init.connect
def follow_the_worker(**kwargs: Any) -> None:
    """A child whose worker was killed would wait for its pipe for ever. Its transaction is rolled back. Who the parent
    is was noted before the fork: by now it may be gone, and the one to ask for somebody else."""
    if os.getpid() != _worker:  # a pool without processes says so in the worker itself
        die_with_parent(_worker, signal.SIGKILL)
