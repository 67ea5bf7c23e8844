"""A Celery worker that does nothing but count: what a task costs with no state behind it. Run as
`celery -A tests.bench.bare worker`; the broker is Baton's own, on a queue apart."""

from __future__ import annotations

import os
from typing import Any

import redis
from celery import Celery

QUEUE, DONE = "bench-bare", "bench:bare"
BROKER = os.environ.get("BENCH_BROKER", "")

app = Celery("bare", broker=BROKER)
app.conf.update(task_default_queue=QUEUE, task_ignore_result=True, worker_prefetch_multiplier=1, task_acks_late=True)
_store: Any = redis.from_url(os.environ["BENCH_REDIS"]) if "BENCH_REDIS" in os.environ else None


@app.task
def count() -> None:
    _store.incr(DONE)
