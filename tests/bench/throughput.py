"""How much goes through at the limit, against this machine's COPY in the same run, and what a span costs."""

from __future__ import annotations

import os
import time

from tests.bench.copying import copy_rate
from tests.bench.load import templates
from tests.bench.report import Report, percentile
from tests.bench.sending import closed_loop
from tests.bench.stand import ENGINES, OURS, Stand
from tests.bench.traces import Shape

SHARE = 0.25  # of COPY, the firm bar
QUIET_RATE = 15_000
OURS_US = 60.0


def measure(stand: Stand, report: Report, spans: int) -> None:
    choice = templates(32)
    requests = [choice[i % len(choice)] for i in range(spans // choice[0].spans)]
    tenant = stand.default()  # whose pages an admin sees afterwards
    closed_loop(stand.url, tenant.key, requests[:32])  # caches, names, plans
    tenant.settled()
    before, begun = stand.cpu(), time.time()
    sent = closed_loop(stand.url, tenant.key, requests)
    digested = tenant.digested()
    settled = tenant.settled()
    after = stand.cpu()
    report.say(f"{sent.spans} spans sent in {sent.ended - begun:.1f} s, codes {dict(sent.codes)}")
    rate = sent.spans / (settled - begun)
    copy = copy_rate(tenant, sent.spans)
    about = f"{copy.rows} rows of {copy.bytes // copy.rows} B, {copy.indexes} indexes"
    report.add("binary COPY, same rows, same table", f"{copy.rate:,.0f}/s", ratio=about)
    report.add("durable and digested", f"{sent.spans / (digested - begun):,.0f}/s")
    report.add(
        "durable, digested and settled",
        f"{rate:,.0f}/s",
        budget=f"≥ {SHARE:.0%} of COPY",
        ratio=f"{rate / copy.rate:.1%} of COPY",
        good=rate >= SHARE * copy.rate,
        firm=True,
    )
    report.add("the same, on a quiet machine", f"{rate:,.0f}/s", budget=f"≥ {QUIET_RATE:,}/s", good=rate >= QUIET_RATE)
    costs = {part: (after[part] - before[part]) / sent.spans * 1e6 for part in after}
    report.most("CPU of ours a span", sum(costs[part] for part in OURS), OURS_US, "µs")
    report.add("  web, digest, worker, beat", " + ".join(f"{costs[part]:.1f}" for part in OURS) + " µs")
    report.add("  PostgreSQL, Valkey", " + ".join(f"{costs[part]:.1f}" for part in ENGINES) + " µs")
    whole, cores = sum(costs.values()), os.cpu_count() or 1
    about = f"{whole:.0f} µs a span, COPY {copy.cpu_us:.1f}"
    report.add(f"what that allows on {cores} cores of one's own", f"{cores / whole * 1e6:,.0f}/s", ratio=about)
    report.add(
        "door at the limit, 512 spans",
        f"p50 {percentile(sent.waits_ms, 0.5):.0f} ms, p99 {percentile(sent.waits_ms, 0.99):.0f} ms",
    )
    small(stand, report, spans // 10)


def small(stand: Stand, report: Report, spans: int) -> None:
    """The same in requests of 20 spans, as agents send them that work alone."""
    tenant = stand.workspace()
    choice = templates(32, Shape(spans=20, trace=(4, 12)))
    before, begun = stand.cpu(), time.time()
    sent = closed_loop(stand.url, tenant.key, [choice[i % len(choice)] for i in range(spans // 20)])
    settled = tenant.settled()
    used = sum(stand.cpu().values()) - sum(before.values())
    rate = f"{sent.spans / (settled - begun):,.0f}/s"
    report.add("in requests of 20 spans", rate, ratio=f"{used / sent.spans * 1e6:.0f} µs CPU a span, engines too")
