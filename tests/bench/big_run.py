"""One run of very many spans that arrive in random order: the work must stay proportional to the spans."""

from __future__ import annotations

import time

from tests.bench.load import one_run
from tests.bench.report import Report
from tests.bench.sending import Line
from tests.bench.stand import ENGINES, OURS, Stand
from tests.bench.totals import Totals

READ = """
select coalesce(sum(seq_tup_read + idx_tup_fetch), 0) from pg_stat_user_tables where relname like 'telemetry_span_%'
"""
OPEN_MS = 1000.0


def measure(stand: Stand, report: Report, spans: int = 20_000, requests: int = 200) -> None:
    small = one(stand, report, spans // 10, requests // 10, "small")
    large = one(stand, report, spans, requests, "large")
    report.most(f"CPU a span of {spans:,}, times that of {spans // 10:,}", large / small, 2.0, "times")


def one(stand: Stand, report: Report, spans: int, requests: int, slug: str) -> float:
    """Microseconds of CPU a span, of everything."""
    tenant = stand.workspace()
    bodies, trace = one_run(spans, requests)
    line = Line(stand.url, tenant.key)
    read, before = rows_read(stand), stand.cpu()
    for body in bodies:
        status, _ = line.post(body)
        assert status == 200, status
        time.sleep(0.05)  # so that settling happens in between, as it would
    tenant.settled()
    time.sleep(1.5)  # until the counters of PostgreSQL are flushed
    after, read = stand.cpu(), rows_read(stand) - read
    expected = Totals()
    expected.add(trace.totals)
    (row,) = tenant.rows("select id, spans, errors, tokens_in, tokens_out from workflows_run where workspace_id = %s")
    report.none(
        f"run of {spans:,} spans: figures that differ", sum(a != b for a, b in zip(trace.sums, row[1:], strict=True))
    )
    costs = {part: (after[part] - before[part]) / spans * 1e6 for part in after}
    ours, theirs = sum(costs[part] for part in OURS), sum(costs[part] for part in ENGINES)
    report.add(f"  {spans:,} spans in {requests} requests, CPU a span", f"{ours:.0f} µs ours, {theirs:.0f} µs engines")
    report.most("  rows of spans read by settling, times the spans", read / spans, 6.0, "times")
    begun = time.perf_counter()
    answer = tenant.get(f"/api/v1/runs/{row[0]}")
    report.most(f"  opened by the API ({answer['spans']:,} spans)", (time.perf_counter() - begun) * 1000, OPEN_MS, "ms")
    return ours + theirs


def rows_read(stand: Stand) -> int:
    with stand.connect() as connection:
        row = connection.execute(READ).fetchone()
    assert row
    return int(row[0])
