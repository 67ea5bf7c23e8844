"""`make bench`, or `python -m tests.bench`: the budgets, measured, with ratios to what this machine does at best.

Baton is started as `make run` does it, on a state folder that is thrown away. The end is a table; the exit code is 1
when a figure was wrong, something acknowledged was lost or doubled, or another firm bar was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from tests.bench import (
    actions,
    big_run,
    decisions,
    exactness,
    faults,
    idle,
    inbox,
    latency,
    leases,
    ledger,
    nonsense,
    overload,
    pages,
    replay,
    throughput,
)
from tests.bench.report import Report
from tests.bench.stand import Stand, stand

Bench = Callable[[Stand, Report, argparse.Namespace], object]

BENCHES: dict[str, tuple[str, Bench]] = {
    "throughput": (
        "spans a second, durable and digested, against COPY; CPU a span",
        # ten seconds and more: what is left to be settled after a burst should not weigh more than it does in a day
        lambda s, r, o: throughput.measure(s, r, 60_000 if o.quick else 400_000),
    ),
    "latency": (
        "the door, and received to visible, at 2,000 spans a second",
        lambda s, r, o: latency.measure(s, r, 8 if o.quick else 60 if o.full else 20),
    ),
    "exactness": (
        "all totals; the same when requests come twice and workers are killed",
        lambda s, r, o: exactness.measure(s, r, 20_000 if o.quick else 200_000 if o.full else 60_000),
    ),
    "big_run": (
        "a run of 20,000 spans in random order against one of 2,000",
        lambda s, r, o: big_run.measure(s, r, *((5_000, 50) if o.quick else (20_000, 200))),
    ),
    "replay": ("the same batch again in every way", lambda s, r, o: replay.measure(s, r)),
    "faults": (
        "parts killed and tables locked under load (P1)",
        lambda s, r, o: faults.measure(s, r, 6 if o.quick else 60 if o.full else 12),
    ),
    "overload": (
        "three times what the machine sustains (P4)",
        lambda s, r, o: overload.measure(s, r, o.overload or (8 if o.quick else 300 if o.full else 30)),
    ),
    "decisions": (
        "may I: latency, CPU, beside full ingest, with parts away (P5, P6)",
        lambda s, r, o: decisions.measure(
            s, r, 6 if o.quick else 20, 6 if o.quick else 300 if o.full else 20, 30 if o.full else 8
        ),
    ),
    "inbox": (
        "no question to a person is lost whatever dies; ten thousand open ones (P8, P10)",
        lambda s, r, o: inbox.measure(
            s, r, asked=160 if o.quick else 1_000, stored=2_000 if o.quick else 10_000, tries=20 if o.quick else 60
        ),
    ),
    "leases": (
        "steps a second beside a bare Celery task; every run ends once though all are killed",
        lambda s, r, o: leases.measure(s, r, 300 if o.quick else 3_000, 100 if o.quick else 5_000 if o.full else 2_000),
    ),
    "actions": (
        "a thousand ordered at once; one effect each though workers and Valkey are killed (P7)",
        lambda s, r, o: actions.measure(s, r, 12 if o.quick else 60),
    ),
    "ledger": (
        "what changes history is refused or found; verifying it (P11)",
        lambda s, r, o: ledger.measure(s, r, 5_000 if o.quick else 100_000),
    ),
    "nonsense": (
        "requests that fit the API's description and that do not: no 5xx (P3)",
        lambda s, r, o: nonsense.measure(s, r, 5 if o.quick else 60),
    ),
    "idle": ("memory, and CPU at rest", lambda s, r, o: idle.measure(s, r)),
    "pages": (
        "how quick pages are with thirty days of spans behind them, against a hundred thousand",
        lambda s, r, o: pages.measure(
            s, r, 100_000 if o.quick else 10_000_000 if o.full else 1_000_000, 10 if o.quick else 30
        ),
    ),
}


def main() -> int:
    listed = "\n".join(f"  {name:12} {words}" for name, (words, _) in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog=f"benches:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", action="append", choices=BENCHES, metavar="NAME", help="run this one; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="small loads: to see that it works, not to judge by")
    parser.add_argument("--full", action="store_true", help="each fault 60 s, overload 5 min, as the promises say")
    parser.add_argument("--overload", type=float, metavar="SECONDS", help="how long the overload lasts")
    parser.add_argument("--port", type=int, default=8240)
    options = parser.parse_args()
    report = Report(bench="machine")
    report.add("before it began", f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    with stand(options.port) as baton:
        report.say(f"ready on {baton.url}")
        for name in options.only or BENCHES:
            report.bench = name
            BENCHES[name][1](baton, report, options)
    report.bench = "machine"
    report.add("at the end", f"load average {os.getloadavg()[0]:.1f}, its own included")
    report.print()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
