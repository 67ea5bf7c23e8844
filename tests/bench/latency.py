"""At 2,000 spans a second: how long the door takes, and how long until a run and its spans are to be seen."""

from __future__ import annotations

import queue
import threading
import time
from bisect import bisect_left
from contextlib import suppress

from tests.bench.load import Template, templates
from tests.bench.report import Report, percentile
from tests.bench.sending import Sent, Taken, open_loop
from tests.bench.stand import Stand, Tenant
from tests.bench.traces import Shape

RATE = 2000.0
DOOR_MS, VISIBLE_MS = 50.0, 2000.0


def measure(stand: Stand, report: Report, seconds: float) -> None:
    tenant = stand.workspace()
    choice = templates(16, Shape(age_s=60))
    open_loop(stand.url, tenant.key, choice, RATE, 4)  # the first requests meet cold caches
    tenant.settled()
    door(stand, tenant, report, choice, seconds)
    visible(stand, tenant, report, choice, seconds)


def door(stand: Stand, tenant: Tenant, report: Report, choice: list[Template], seconds: float) -> None:
    before = stand.cpu()
    sent = open_loop(stand.url, tenant.key, choice, RATE, seconds)
    used = {part: (spent - before[part]) / (sent.ended - sent.begun) for part, spent in stand.cpu().items()}
    tenant.settled()
    report.most(f"door, {choice[0].spans} spans, p99", percentile(sent.waits_ms, 0.99), DOOR_MS, "ms")
    report.add("  p50", f"{percentile(sent.waits_ms, 0.5):.1f} ms of {len(sent.waits_ms)} requests")
    parts = ", ".join(f"{part} {share:.0%}" for part, share in used.items())
    report.add(f"CPU at {RATE:,.0f} spans/s", f"{sum(used.values()):.0%} of a core", ratio=parts)


def visible(stand: Stand, tenant: Tenant, report: Report, choice: list[Template], seconds: float) -> None:
    eyes = Eyes(tenant, spans=int(tenant.get("/api/v1/overview?window=1h")["spans"]["digested"]))
    listing = Listing(tenant)
    eyes.start()
    listing.start()
    sent = open_loop(stand.url, tenant.key, choice, RATE, seconds, seen=listing.note)
    tenant.settled()
    time.sleep(0.5)
    eyes.finish()
    seen, waits = listing.finish(), eyes.until_counted(sent)
    report.most("sent to counted in the overview, p95", percentile(waits, 0.95), VISIBLE_MS, "ms")
    report.add("  p50, max", f"{percentile(waits, 0.5):.0f}, {waits[-1]:.0f} ms")
    report.most("sent to listed as a run, p95", percentile(seen, 0.95), VISIBLE_MS, "ms")
    report.add("  p50, max", f"{percentile(seen, 0.5):.0f}, {seen[-1]:.0f} ms of {len(seen)}")


class Eyes(threading.Thread):
    """Looks at the overview ten times a second and remembers how many spans it counted when."""

    def __init__(self, tenant: Tenant, spans: int) -> None:
        super().__init__(daemon=True)
        self.tenant, self.base = tenant, spans
        self.counts: list[int] = []
        self.times: list[float] = []
        self._open = threading.Event()

    def run(self) -> None:
        while not self._open.wait(0.1):
            counted = self.tenant.get("/api/v1/overview?window=1h")["spans"]["digested"]
            self.counts.append(counted - self.base)
            self.times.append(time.time())

    def finish(self) -> None:
        self._open.set()
        self.join()

    def until_counted(self, sent: Sent) -> list[float]:
        """Milliseconds from sending a request until the overview had counted all that was sent by then."""
        waits, spans = [], 0
        for one in sorted(sent.taken, key=lambda taken: taken.begun):
            spans += one.template.spans
            place = bisect_left(self.counts, spans)
            waits.append((self.times[place] - one.begun) * 1000 if place < len(self.times) else float("inf"))
        return sorted(waits)


class Listing(threading.Thread):
    """Follows one request after the other until the run of its last trace is listed. What comes meanwhile is let go:
    a sample is enough, and looking costs."""

    def __init__(self, tenant: Tenant) -> None:
        super().__init__(daemon=True)
        self.tenant = tenant
        self.waits: list[float] = []
        self._next: queue.Queue[Taken] = queue.Queue(maxsize=1)
        self._open = threading.Event()

    def note(self, taken: Taken) -> None:
        with suppress(queue.Full):
            self._next.put_nowait(taken)

    def run(self) -> None:
        while not self._open.is_set():
            try:
                taken = self._next.get(timeout=0.1)
            except queue.Empty:
                continue
            trace = taken.template.trace_ids(taken.heads)[-1].hex()
            while not self.tenant.get(f"/api/v1/runs?trace={trace}")["items"]:
                if time.time() - taken.begun > 20:
                    self.waits.append(float("inf"))
                    break
                time.sleep(0.02)
            else:
                self.waits.append((time.time() - taken.begun) * 1000)

    def finish(self) -> list[float]:
        self._open.set()
        self.join()
        return sorted(self.waits)
