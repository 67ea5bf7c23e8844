"""Steps of declared workflows: how many a second are taken and finished over HTTP, beside a bare Celery task in the
same run; and thousands of runs at once that all end, each step once, while agents, workers and the web are killed."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import redis

from orchestration.client import Baton
from tests.bench import bare
from tests.bench.report import Report
from tests.bench.stand import CHECKOUT, Stand, Tenant

LANES, TOGETHER = 4, 20
KILL_S = 2.0
STEPS = ("look", "decide", "pay")
_MAKE = """
from orchestration.workflows import declared
from orchestration.workflows.definition import parse
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
workspace = Workspace.objects.get(pk={workspace})
names = {steps!r}
steps = [{{"id": each, "owner": {{"skill": "bench"}}, "after": names[max(0, n - 1):n], "lease_s": 5,
          "retry": {{"budget": 50}}}} for n, each in enumerate(names)]
made = declared.save(workspace.pk, parse({{"name": "Bench", "steps": steps}}), "bench")
declared.publish(made.pk, "bench", "For the bench")
print(create_key(workspace, "works", ["work", "read", "ingest"])[1])
"""
_SETTINGS = "from django.conf import settings as s; print(s.CELERY_BROKER_URL, s.REDIS_URL)"


class Caller:
    """One kept connection."""

    def __init__(self, url: str, key: str) -> None:
        self.host = urlsplit(url).netloc
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.connection = http.client.HTTPConnection(self.host, timeout=60)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        try:
            self.connection.request("POST", f"/api/v1/{path}", json.dumps(body), self.headers)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.connection.close()
            return 0, {}


def measure(stand: Stand, report: Report, steps: int, runs: int) -> None:
    celery = bare_rate(stand, steps)
    report.add("a bare Celery task, one process", f"{celery:,.0f}/s")
    tenant = stand.workspace()
    key = _declare(stand, tenant)
    for together in (1, TOGETHER):
        _throughput(stand, report, key, steps, together, celery)
    _killed(stand, report, runs)


def _declare(stand: Stand, tenant: Tenant) -> str:
    return stand.manage("shell", "-v", "0", "-c", _MAKE.format(workspace=tenant.id, steps=list(STEPS)))


def bare_rate(stand: Stand, tasks: int) -> float:
    """Tasks a second from the first that is sent to the last that has counted."""
    broker, address = stand.manage("shell", "-v", "0", "-c", _SETTINGS).split()
    environment = os.environ | {"BENCH_BROKER": broker, "BENCH_REDIS": address}
    command = [sys.executable, "-m", "celery", "-A", "tests.bench.bare", "worker", "-c", "1", "--loglevel", "error"]
    store = redis.from_url(address)
    worker = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stderr=subprocess.DEVNULL)
    try:
        bare.app.conf.update(broker_url=broker)
        store.delete(bare.DONE)
        bare.count.delay()
        stand.until(lambda: int(store.get(bare.DONE) or 0) == 1, 60)
        begun = time.monotonic()
        for _ in range(tasks):
            bare.count.delay()
        stand.until(lambda: int(store.get(bare.DONE) or 0) == tasks + 1, 300)
        return tasks / (time.monotonic() - begun)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)


def _start(stand: Stand, key: str, runs: int) -> float:
    """Runs started a second."""

    def some(lane: int) -> None:
        caller = Caller(stand.url, key)
        for number in range(lane, runs, LANES):
            body = {"workflow": "Bench", "input": {"order": number}, "key": f"{time.monotonic_ns()}-{number}"}
            while caller.post("runs", body)[0] != 200:
                time.sleep(0.1)

    begun = time.monotonic()
    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(some, range(LANES)))
    return runs / (time.monotonic() - begun)


def _throughput(stand: Stand, report: Report, key: str, steps: int, together: int, celery: float) -> None:
    started = _start(stand, key, steps // len(STEPS))

    def work(lane: int) -> int:
        caller, done = Caller(stand.url, key), 0
        while found := caller.post("leases", {"agent": f"a{lane}", "skill": "bench", "most": together})[1]["items"]:
            for lease in found:
                done += caller.post(f"leases/{lease['id']}/complete", {"result": {"ok": True}})[0] == 200
        return done

    begun, before = time.monotonic(), stand.cpu()
    with ThreadPoolExecutor(LANES) as pool:
        done = sum(pool.map(work, range(LANES)))
    rate = done / (time.monotonic() - begun)
    used = {part: 1000 * (cpu - before[part]) / max(1, done) for part, cpu in stand.cpu().items()}
    what = f"steps taken {together} at once and finished, durable"
    report.add(what, f"{rate:,.0f}/s", ratio=f"{rate / celery:.2f} of bare Celery")
    report.add("  CPU a step", f"web {used['web']:.1f} ms, PostgreSQL {used['postgres']:.1f} ms")
    report.add("  runs started before that", f"{started:,.0f}/s")


def _agent(url: str, key: str, name: str) -> None:
    baton = Baton(url, key, service="bench")
    for step in baton.work(agent=name, skill="bench", wait_s=2):
        with step:
            step.result = {"by": name}


def _killed(stand: Stand, report: Report, runs: int) -> None:
    """All begin first, then agents come. Every two seconds an agent and in turn a worker, the digest or a web process
    is killed."""
    tenant = stand.workspace()
    key = _declare(stand, tenant)
    _start(stand, key, runs)
    agents = [_spawn(stand, key, n) for n in range(LANES)]
    begun, kills = time.monotonic(), 0
    try:
        while _left(tenant) and time.monotonic() - begun < 600:
            time.sleep(KILL_S)
            _kill(agents[kills % LANES])
            agents[kills % LANES] = _spawn(stand, key, LANES + kills)
            stand.kill(("worker", "web", "digest")[kills % 3]) if kills % 2 else stand.kill_children("worker")
            kills += 1
        lasted = time.monotonic() - begun
    finally:
        for agent in agents:
            _kill(agent)
    report.add(f"{runs:,} runs of {len(STEPS)} steps at once, {kills} times killed", f"all in {lasted:,.0f} s")
    report.none("runs that did not end", _left(tenant))
    again, wrong = _twice(tenant, runs)
    report.none("steps that were not done exactly once", wrong)
    report.add("leases that were lost and taken again", str(again))


def _spawn(stand: Stand, key: str, number: int) -> multiprocessing.Process:
    made = multiprocessing.Process(target=_agent, args=(stand.url, key, f"agent-{number}"), daemon=True)
    made.start()
    return made


def _kill(agent: multiprocessing.Process) -> None:
    with suppress(ProcessLookupError, AttributeError):
        agent.kill()
    agent.join(10)


def _left(tenant: Tenant) -> int:
    asked = "select count(*) from workflows_declaredrun where workspace_id = %s and state <> 'completed'"
    return int(tenant.rows(asked)[0][0])


def _twice(tenant: Tenant, runs: int) -> tuple[int, int]:
    """Attempts beyond the first, and steps whose receipts are not exactly one."""
    rows = tenant.rows(
        "select subject_id || ' ' || (body::jsonb -> 'told' ->> 'step') from ledger_entry "
        "where workspace_id = %s and kind = 'step.finished'"
    )
    receipts = Counter(row[0] for row in rows)
    again = tenant.rows("select coalesce(sum(attempt - 1), 0) from workflows_task where workspace_id = %s")[0][0]
    missing = runs * len(STEPS) - len(receipts)
    return int(again), missing + sum(n != 1 for n in receipts.values())
