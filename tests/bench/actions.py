"""Actions: a thousand ordered at once, beside a bare Celery task in the same run; and P7, one effect each though
workers and Valkey are killed, counted by a receiver that honours keys."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime

from tests.bench.leases import Caller, bare_rate
from tests.bench.report import Report
from tests.bench.stand import Stand, Tenant
from tests.outbox.receiver import Got, Receiver

MANY, MOST_S = 1_000, 60.0
ACTIONS, KILL_S = 300, 2.0
LATE_S = 60.0  # after the last fault
ANSWERS_S = 0.02  # the receiver takes its time, so that workers die while they wait for it
TOGETHER = 100  # events in one request
SCOPES = ["admin", "read", "ingest"]
_KEY = """
from orchestration.workspaces.keys import create_key
from orchestration.workspaces.models import Workspace
print(create_key(Workspace.objects.get(pk={workspace}), "acts", {scopes!r})[1])
"""
_HEAR = """
from orchestration.outbox import endpoints
from orchestration.workspaces.models import User, Workspace
by = User.objects.get(username="admin")
endpoints.add(Workspace.objects.get(pk={workspace}), {url!r}, ["action.asked"], by, "bench")
"""


class Effects:
    """What a receiver that honours keys has done: one effect for each key (`webhook-id`), by action."""

    def __init__(self) -> None:
        self.keys: dict[str, set[str]] = defaultdict(set)
        self.first: dict[str, float] = {}
        self.deliveries = 0
        self._lock = threading.Lock()

    def answer(self, got: Got) -> tuple[int, dict[str, str], bytes]:
        time.sleep(ANSWERS_S)
        _, headers, body = got
        action = json.loads(body)["data"]["id"]
        with self._lock:
            self.deliveries += 1
            self.keys[action].add(headers["webhook-id"])
            self.first.setdefault(headers["webhook-id"], time.monotonic())
        return 200, {}, b"ok"


def measure(stand: Stand, report: Report, seconds: float) -> None:
    """`seconds`: how long P7's faults last; by the protocol 60."""
    celery = bare_rate(stand, MANY)
    report.add("a bare Celery task, one process", f"{celery:,.0f}/s")
    _thousand(stand, report, celery)
    _faults(stand, report, round(ACTIONS * min(1.0, seconds / 60)), seconds)


def _caller(stand: Stand, tenant: Tenant) -> Caller:
    made = _KEY.format(workspace=tenant.id, scopes=SCOPES)
    return Caller(stand.url, stand.manage("shell", "-v", "0", "-c", made))


def _runs(stand: Stand, tenant: Tenant, caller: Caller, number: int) -> None:
    """Runs that have begun, by name `run-0` and so on."""
    at = datetime.now(UTC).isoformat()
    told = [{"type": "run.started", "run": f"run-{n}", "workflow": "Acted", "at": at} for n in range(number)]
    for place in range(0, number, TOGETHER):
        while caller.post("events", {"events": told[place : place + TOGETHER]})[0] != 200:
            time.sleep(0.1)
    asked = "select count(*) from workflows_run where workspace_id = %s"
    stand.until(lambda: int(tenant.rows(asked)[0][0]) >= number, 300)
    tenant.settled()


def _thousand(stand: Stand, report: Report, celery: float) -> None:
    tenant = stand.workspace()
    caller = _caller(stand, tenant)
    _runs(stand, tenant, caller, MANY)
    begun, before = time.monotonic(), stand.cpu()
    wish = {"kind": "cancel", "target": {"kind": "run"}, "filter": {"workflow": "Acted"}, "reason": "Bench"}
    status, told = caller.post("actions", wish | {"key": "all"})
    assert status == 200, told
    ended = "select count(*) from autonomy_action where workspace_id = %s and state = 'done'"
    stand.until(lambda: int(tenant.rows(ended)[0][0]) >= MANY, 300)
    lasted = time.monotonic() - begun
    used = {part: 1000 * (cpu - before[part]) / MANY for part, cpu in stand.cpu().items()}
    report.most(f"{MANY:,} runs cancelled by one order", lasted, MOST_S, "s", firm=True)
    rate = MANY / lasted
    report.add(
        "  actions a second, each with its receipt", f"{rate:,.0f}/s", ratio=f"{rate / celery:.2f} of bare Celery"
    )
    report.add("  CPU an action", f"worker {used['worker']:.1f} ms, PostgreSQL {used['postgres']:.1f} ms")


def _faults(stand: Stand, report: Report, actions: int, seconds: float) -> None:
    tenant, receiver, effects = stand.workspace(), Receiver(), Effects()
    receiver.answer = effects.answer
    caller = _caller(stand, tenant)
    stand.manage("shell", "-v", "0", "-c", _HEAR.format(workspace=tenant.id, url=receiver.url))
    _runs(stand, tenant, caller, actions)
    striking = threading.Thread(target=_strike, args=(stand, seconds))
    striking.start()
    left = "select count(*) from autonomy_action where workspace_id = %s and state <> 'done'"
    try:
        _order(caller, actions, seconds * 0.9)
        striking.join()
        over = time.monotonic()
        stand.until(lambda: int(tenant.rows(left)[0][0]) == 0, 5 * LATE_S)  # what was delivered unheard comes again
    finally:
        receiver.stop()
    _tell(report, effects, actions, over)
    noted = "select count(*) from ledger_entry where workspace_id = %s and kind = 'action.done'"
    report.none("  receipts that are missing or too many", abs(int(tenant.rows(noted)[0][0]) - actions))


def _tell(report: Report, effects: Effects, actions: int, over: float) -> None:
    done = sum(len(keys) for keys in effects.keys.values())
    report.add(f"{actions} actions under fire", f"{done} effects", ratio=f"{effects.deliveries} deliveries")
    report.none("  actions without their effect", actions - len(effects.keys))
    report.none("  actions with two keys, so two effects", sum(len(keys) > 1 for keys in effects.keys.values()))
    last = max(effects.first.values(), default=float("inf")) - over
    report.most("  last effect after the last fault", max(0.0, last), LATE_S, "s", firm=True)


def _order(caller: Caller, actions: int, seconds: float) -> None:
    """Spread over the faults, each by a key of its own and until it is taken; every third is sent twice."""
    begun = time.monotonic()
    for number in range(actions):
        wish = {"kind": "retry", "target": {"kind": "run", "id": f"run-{number}"}, "key": f"act-{number}"}
        for _ in range(1 + (number % 3 == 0)):
            while caller.post("actions", wish)[0] != 200:
                time.sleep(0.2)
        time.sleep(max(0.0, begun + seconds * (number + 1) / actions - time.monotonic()))


def _strike(stand: Stand, seconds: float) -> None:
    """A worker is killed every two seconds, in turn its children and itself; Valkey dies twice."""
    begun, kills = time.monotonic(), 0
    while time.monotonic() < begun + seconds:
        time.sleep(KILL_S)
        stand.kill("worker") if kills % 2 else stand.kill_children("worker")
        if kills in (int(seconds / KILL_S) // 3, 2 * int(seconds / KILL_S) // 3):
            stand.kill("valkey")
        kills += 1
