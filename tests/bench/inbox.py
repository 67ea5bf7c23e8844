"""The inbox: nothing that a person is asked is lost whatever dies (P8), and ten thousand open cases are as quick as few
(P10)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count

import httpx

from tests.bench.faults import FAULTS, Fault
from tests.bench.pages import log_in
from tests.bench.report import Report, percentile
from tests.bench.stand import Stand, Tenant

PAGE_MS, PAGE_BYTES, BULK_S, PLACED_S = 300.0, 1 << 20, 3.0, 1.0
KINDS = 50
LASTS_S = 4.0  # of each fault, at most
FILL = """
from tests.escalations import held
from orchestration.workspaces.models import Workspace
space = Workspace.objects.get(pk={workspace})
for kind in range({kinds}):
    held.holds(space, [
        {{"amount": 100.0 + 13 * (n % 40), "context": {{"item_back": n % 9 > 0, "refunds_1y": float(n % 7 == 0)}},
          "policy": f"policy-{{kind}}", "action": f"act.{{kind}}"}} for n in range({each})])
"""
BULK = """
import time
from orchestration.holds import verdicts
from orchestration.holds.models import Answered, Hold
from orchestration.workspaces.models import User
from escalations import intake
holds = dict(Hold.objects.open().filter(workspace_id={workspace}).values_list("id", "revision")[:500])
begun = time.perf_counter()
done = verdicts.decide_many({workspace}, holds, verdicts.Verdict(Answered.APPROVE), User.objects.get(username="admin"))
intake.look_again({workspace}, list(holds))
print(len(done), time.perf_counter() - begun)
"""


def measure(stand: Stand, report: Report, *, asked: int, stored: int, tries: int) -> None:
    _never_lost(stand, report, asked)
    _many(stand, report, stored, tries)


def _never_lost(stand: Stand, report: Report, asked: int) -> None:
    tenant = stand.workspace()
    known: list[str] = []
    for fault in FAULTS:
        known += _during(stand, tenant, fault, max(1, asked // len(FAULTS)))
        stand.until(stand.ready, 120)
    stand.until(lambda: _cases(stand, tenant) >= len(known), 60)
    with stand.connect() as connection:
        rows = connection.execute(
            "select h.id::text, count(e.hold_id), count(b.id) from holds_hold h "
            "left join escalations_escalation e on e.hold_id = h.id left join escalations_batch b on b.id = e.batch_id "
            "and b.id = h.batch where h.workspace_id = %s group by 1",
            [tenant.id],
        ).fetchall()
    found = {row[0]: (row[1], row[2]) for row in rows}
    report.add("questions asked of people while parts died", f"{len(known):,}")
    report.none("of them not in the inbox, or not in a batch", sum(found.get(each) != (1, 1) for each in known))
    report.none("in the inbox though nobody asked, or twice", len(found) - len(set(known)))


def _during(stand: Stand, tenant: Tenant, fault: Fault, wanted: int) -> list[str]:
    """Ask all the while that the fault lasts; each key again until there is an answer."""
    seconds = min(fault.seconds, LASTS_S)
    striking = threading.Thread(target=fault.strike, args=(stand, seconds))
    striking.start()
    found = []
    with httpx.Client(base_url=stand.url, timeout=5, headers={"Authorization": f"Bearer {tenant.key}"}) as client:
        for number in range(wanted):
            found.append(_asked(client, f"{fault.name} {number}", number))
            time.sleep(seconds / wanted)
    striking.join()
    return found


def _asked(client: httpx.Client, key: str, number: int) -> str:
    body = {
        "agent": f"desk/agent-{number % 7}",
        "question": f"May the refund for order {number} be paid?",
        "proposal": "Pay it",
        "why": "Above the limit",
        "evidence": [],
        "cost_of_waiting": "The customer waits",
        "reversible": True,
    }
    for again in count():
        try:
            answer = client.post("/api/v1/holds", json=body, headers={"Idempotency-Key": key})
        except httpx.HTTPError:
            answer = None
        if answer is not None and answer.status_code == 200:
            return str(answer.json()["id"])
        if again > 400:
            raise TimeoutError(f"{key}: {answer and answer.text[:200]}")
        time.sleep(0.1)
    raise AssertionError


def _cases(stand: Stand, tenant: Tenant) -> int:
    try:
        with stand.connect() as connection:
            row = connection.execute(
                "select count(*) from escalations_escalation where workspace_id = %s", [tenant.id]
            ).fetchone()
    except Exception:
        return 0
    return int(row[0]) if row else 0


def _many(stand: Stand, report: Report, stored: int, tries: int) -> None:
    tenant = stand.default()
    before = _cases(stand, tenant)
    stand.manage("shell", "-v", "0", "-c", FILL.format(workspace=tenant.id, kinds=KINDS, each=stored // KINDS))
    seconds = stand.until(lambda: _cases(stand, tenant) >= before + stored // KINDS * KINDS, 600)
    report.add(f"{stored:,} cases of {KINDS} kinds all in batches, since the last was stored", f"{seconds:.1f} s")
    _pages(stand, report, tries)
    waits = sorted(_placed(stand, tenant, tries))
    report.most("a new case in its batch, p95", percentile(waits, 0.95), PLACED_S, "s")
    done, took = stand.manage("shell", "-v", "0", "-c", BULK.format(workspace=tenant.id)).split()
    report.most(f"a verdict on {done} cases", float(took), BULK_S, "s")


def _pages(stand: Stand, report: Report, tries: int) -> None:
    client = log_in(stand)
    waits, size = [], 0
    client.get("/inbox/")
    for _ in range(tries):
        begun = time.perf_counter()
        answer = client.get("/inbox/")
        waits.append((time.perf_counter() - begun) * 1000)
        size = max(size, len(answer.content))
        answer.raise_for_status()
    report.most("page /inbox/, p95", percentile(sorted(waits), 0.95), PAGE_MS, "ms")
    report.most("page /inbox/, size", size / (1 << 20), PAGE_BYTES / (1 << 20), "MiB")


def _placed(stand: Stand, tenant: Tenant, tries: int) -> Iterator[float]:
    with (
        httpx.Client(base_url=stand.url, timeout=20, headers={"Authorization": f"Bearer {tenant.key}"}) as client,
        stand.connect() as connection,
    ):
        for number in range(tries):
            hold = _asked(client, f"placed {time.time_ns()}", number)
            begun = time.perf_counter()
            sql = "select batch is not null from holds_hold where id = %s"
            while not (row := connection.execute(sql, [hold]).fetchone()) or not row[0]:
                time.sleep(0.005)
            yield time.perf_counter() - begun
            time.sleep(0.137)
