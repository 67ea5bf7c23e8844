"""May I? How long an answer takes and what it costs, with 1 and with 100 live policies, alone and beside ingest at its
limit; that one key has one effect; and what is answered while Valkey, the workers or PostgreSQL are away (P5, P6)."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.bench.load import templates
from tests.bench.report import Report, percentile
from tests.bench.sending import for_seconds
from tests.bench.stand import Stand, Tenant

RATE, BESIDE = 200.0, 50.0
ALONE_MS, BESIDE_MS, CPU_MS = 10.0, 100.0, 0.9
ANSWER_S = 2.0
LIMIT = 500

_MAKE = """
import json
from orchestration.policies import lifecycle
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import User, Workspace
workspace = Workspace.objects.get(pk={workspace})
by, _ = User.objects.get_or_create(username="bench")
shapes = (
    "action.amount <= limit && action.type != 'none-%d'",
    "action.amount <= limit || action.system == 'ledger-%d'",
    "action.amount <= limit && context.channel != 'fax-%d'",
    "action.amount <= limit && !(action.arguments.account in [-1, -%d])",
    "action.amount <= limit && !(now.hour > 30 && context.returned == %d)",
)
for n in range({policies}):
    body = {{"condition": shapes[n % len(shapes)] % (n + 2), "then": {{"kind": "allow"}},
             "otherwise": {{"kind": "hold", "skill": "refunds"}}, "limits": {{"limit": {limit}}}}}
    draft = lifecycle.create(workspace, "Limit %d" % n, by, body)
    lifecycle.publish(draft.policy_id, draft.number, by, "For the bench")
print(create_key(workspace, "asks", ["decide"])[1])
"""


@dataclass
class Answers:
    """What became of the asks: waits in ms, by status, and answers that were wrong."""

    waits: list[float] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)  # 0: the connection broke
    wrong: int = 0

    def p(self, q: float) -> float:
        return percentile(sorted(self.waits), q)


class Asker:
    """One kept connection that asks. Amounts go round, so that a tenth is held."""

    def __init__(self, url: str, key: str) -> None:
        self.host = urlsplit(url).netloc
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.connection: http.client.HTTPConnection | None = None

    def ask(self, number: int, key: str = "") -> tuple[int, dict[str, Any]]:
        amount = 900 if number % 10 == 0 else 100
        body = json.dumps(
            {
                "agent": "refund-bot",
                "action": {"type": "refund", "system": "payments", "amount": amount, "arguments": {"account": number}},
                "run": f"run-{number % 50}",
                "context": {"returned": True, "channel": "web"},
            }
        )
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, timeout=10)
            headers = self.headers | ({"Idempotency-Key": key} if key else {})
            self.connection.request("POST", "/api/v1/decisions", body, headers)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            if self.connection:
                self.connection.close()
            self.connection = None
            return 0, {}


def open_loop(url: str, key: str, rate: float, seconds: float, *, lanes: int = 8) -> Answers:
    """Asks at fixed moments, whatever the answers take; a late start counts as waiting."""
    answers, lock, first = Answers(), threading.Lock(), time.time() + 0.2
    moments = iter(enumerate(first + number / rate for number in range(int(rate * seconds))))

    def lane() -> None:
        asker = Asker(url, key)
        while True:
            with lock:
                number, due = next(moments, (None, 0.0))
            if number is None:
                return
            time.sleep(max(0.0, due - time.time()))
            status, told = asker.ask(number)
            with lock:
                answers.waits.append((time.time() - due) * 1000)
                answers.codes[status] += 1
                answers.wrong += status == 200 and told["effect"] != ("hold" if number % 10 == 0 else "allow")

    threads = [threading.Thread(target=lane) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def measure(stand: Stand, report: Report, seconds: float, beside: float, away: float) -> None:
    """`seconds` alone with each number of policies, `beside` ingest, and with a part `away`."""
    for policies in (1, 100):
        tenant = stand.workspace()
        key = _rules(stand, tenant, policies)
        open_loop(stand.url, key, 50, 2)
        _alone(stand, report, key, policies, seconds)
    _capacity(stand, report, key)
    _beside(stand, report, key, beside)
    _one_key(stand, report, tenant, key)
    _without(stand, report, key, away)


def _rules(stand: Stand, tenant: Tenant, policies: int) -> str:
    script = _MAKE.format(workspace=tenant.id, policies=policies, limit=LIMIT)
    return stand.manage("shell", "-v", "0", "-c", script)


def _alone(stand: Stand, report: Report, key: str, policies: int, seconds: float) -> None:
    begun, before = time.time(), stand.cpu()
    time.sleep(3)
    idle = (stand.cpu()["web"] - before["web"]) / (time.time() - begun)
    begun, before = time.time(), stand.cpu()
    answers = open_loop(stand.url, key, RATE, seconds)
    used, lasted = stand.cpu(), time.time() - begun
    asked = len(answers.waits)
    cpu = (used["web"] - before["web"] - idle * lasted) / asked * 1000
    engine = (used["postgres"] - before["postgres"]) / asked * 1000
    about = f"p50 {answers.p(0.5):.1f} of {asked}, PostgreSQL {engine:.2f} ms CPU each"
    report.add(f"{policies} live policies, {RATE:.0f}/s", about)
    report.most("  p99", answers.p(0.99), ALONE_MS, "ms")
    report.most("  CPU of ours an answer", cpu, CPU_MS, "ms")
    report.none("  not answered, or wrongly", asked - answers.codes[200] + answers.wrong, str(dict(answers.codes)))


def _capacity(stand: Stand, report: Report, key: str) -> None:
    """As fast as eight callers can ask."""
    until = time.time() + 5
    counts: list[int] = []

    def lane(number: int) -> None:
        asker, n = Asker(stand.url, key), 0
        while time.time() < until:
            asker.ask(number * 100_000 + n)
            n += 1
        counts.append(n)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lane, range(8)))
    report.add("100 live policies, as fast as eight can ask", f"{sum(counts) / 5:,.0f}/s")


def _beside(stand: Stand, report: Report, key: str, seconds: float) -> None:
    """Ingest at its limit, by as many senders as an exporter fleet has."""
    tenant = stand.workspace()
    choice = templates(16)
    load = threading.Thread(target=lambda: for_seconds(stand.url, tenant.key, choice, seconds + 4, 4))
    load.start()
    time.sleep(3)
    answers = open_loop(stand.url, key, BESIDE, seconds)
    load.join()
    report.most("beside ingest at its limit, p99", answers.p(0.99), BESIDE_MS, "ms")
    report.add("  p50, p95", f"{answers.p(0.5):.1f}, {answers.p(0.95):.1f} ms")
    report.none("  not answered, or wrongly", len(answers.waits) - answers.codes[200] + answers.wrong)
    tenant.settled()


def _one_key(stand: Stand, report: Report, tenant: Tenant, key: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda _: Asker(stand.url, key).ask(10, "bench-key"), range(20)))
    again = [Asker(stand.url, key).ask(10, "bench-key") for _ in range(3)]
    ids = {answer.get("id") for _, answer in told + again}
    other, _ = Asker(stand.url, key).ask(20, "bench-key")
    holds = tenant.rows("select count(*) from holds_hold where workspace_id = %s and run = 'run-10'")
    before = f"{len(ids)} id, {dict(Counter(status for status, _ in told + again))}, another body {other}"
    report.none("one key, 20 at once and 3 in turn: more than one effect", len(ids) - 1, before)
    report.none("  another body under it was taken", int(other != 422), f"holds of that run {holds[0][0]}")


def _without(stand: Stand, report: Report, key: str, seconds: float) -> None:
    _while(stand, report, key, ("Valkey hangs", seconds), lambda n: stand.kill("valkey", n))
    _while(stand, report, key, ("workers hang", seconds), lambda n: _workers(stand, n))
    with stand.unwatched():
        stand.kill("postgres", signal.SIGINT)
        time.sleep(1)
        answers = open_loop(stand.url, key, 10, 5)
    allowed = answers.codes[200]
    late = sum(wait > (ANSWER_S + 1) * 1000 for wait in answers.waits)
    report.none("PostgreSQL down: allowed all the same", allowed, f"codes {dict(answers.codes)}, {late} later than 3 s")
    stand.until(stand.ready, 60)


def _workers(stand: Stand, number: signal.Signals) -> None:
    for part in ("worker", "digest", "beat"):
        stand.kill(part, number)


def _while(
    stand: Stand, report: Report, key: str, fault: tuple[str, float], send: Callable[[signal.Signals], object]
) -> None:
    what, seconds = fault
    send(signal.SIGSTOP)
    try:
        answers = open_loop(stand.url, key, BESIDE, seconds)
    finally:
        send(signal.SIGCONT)
    late = sum(wait > ANSWER_S * 1000 for wait in answers.waits)
    bad = len(answers.waits) - answers.codes[200] + answers.wrong + late
    report.none(f"{what}: late, refused or other answers", bad, f"p99 {answers.p(0.99):.0f} ms of {len(answers.waits)}")
