"""Three times what the machine sustains: what is taken must not fall, and what is refused must be refused well."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tests.bench.books import lost_and_doubled
from tests.bench.load import Template, templates
from tests.bench.report import Report
from tests.bench.sending import Sender, Sent, for_seconds, open_loop
from tests.bench.stand import Stand, Tenant
from tests.bench.traces import Shape

TIMES, LEAST = 3.0, 0.8
RECOVERY_S = 30.0
GROWTH_MB = 200.0


def measure(stand: Stand, report: Report, seconds: float) -> None:
    choice = templates(24, Shape(seed=4))
    tenant, after = stand.workspace(), stand.workspace()
    calm, before = sustained(tenant, choice, max(8.0, seconds / 3))
    report.add("sustained by four connections", f"{before:,.0f} spans/s")
    watch = Memory(stand)
    watch.start()
    flood = open_loop(stand.url, tenant.key, choice, before * TIMES, seconds, connections=24, patience_s=0.0)
    over = time.time()
    taken = flood.spans / (tenant.digested() - flood.begun)
    door_open(stand, after.key, choice[0])
    recovered = time.time() - over
    growth = watch.finish()
    # What has been stored makes each span dearer, with or without a flood: so it is set against both sides of it.
    again, since = sustained(tenant, choice, max(8.0, seconds / 6))
    report.add("  the same after the flood", f"{since:,.0f} spans/s")
    mean = (before + since) / 2
    asked = sum(flood.codes.values()) * choice[0].spans / (flood.ended - flood.begun)
    report.add(
        "offered", f"{asked:,.0f} spans/s for {flood.ended - flood.begun:.0f} s", ratio=f"{asked / before:.1f} times"
    )
    report.add(
        "taken and digested meanwhile",
        f"{taken:,.0f} spans/s",
        budget=f"≥ {LEAST:.0%} of sustained",
        ratio=f"{taken / mean:.0%} ({taken / before:.0%} of that before)",
        good=taken >= LEAST * mean,
    )
    report.add("answers", ", ".join(f"{code or 'none'}: {n}" for code, n in sorted(flood.codes.items())))
    report.none("answers that OTLP loses data on", sum(flood.strange.values()))
    report.none("refusals without Retry-After", flood.refused_without_wait)
    report.most("recovered: all digested, the door open", recovered, RECOVERY_S, "s")
    report.most("growth of web and workers", growth, GROWTH_MB, "MB")
    flood.add(calm)
    flood.add(again)
    lost, doubled, _ = lost_and_doubled(tenant, flood)
    report.none("acknowledged spans lost or doubled", lost + doubled)


def sustained(tenant: Tenant, choice: Sequence[Template], seconds: float) -> tuple[Sent, float]:
    """What four connections sent, and how many spans a second of it were digested."""
    sent = for_seconds(tenant.stand.url, tenant.key, choice, seconds)
    return sent, sent.spans / (tenant.digested() - sent.begun)


def door_open(stand: Stand, key: str, template: Template) -> float:
    """Seconds until one request is taken."""
    begun = time.monotonic()
    sender = Sender(stand.url, key)
    sender.send(template)
    sender.close()
    return time.monotonic() - begun


class Memory(threading.Thread):
    """Watches how much the memory of web and digest worker grows, seldom enough to take nothing from them."""

    def __init__(self, stand: Stand) -> None:
        super().__init__(daemon=True)
        self.stand = stand
        self.samples: list[float] = []
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.is_set():
            self.samples.append(self.stand.private("web", "digest"))
            self._end.wait(2.0)

    def finish(self) -> float:
        """Megabytes between the first sample and the highest one."""
        self._end.set()
        self.join()
        return max(self.samples) - self.samples[0]
