"""Totals per application, agent and workflow, and every acknowledged span, compared with what was sent."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.books import lost_and_doubled, wrong_figures
from tests.bench.load import templates
from tests.bench.report import Report
from tests.bench.sending import Sent, closed_loop
from tests.bench.stand import Stand, Tenant
from tests.bench.traces import Shape


def measure(stand: Stand, report: Report, spans: int) -> None:
    choice = templates(24, Shape(seed=2))
    requests = [choice[i % len(choice)] for i in range(spans // choice[0].spans)]
    tenant = stand.workspace()
    sent = closed_loop(stand.url, tenant.key, requests)
    compare(tenant, report, sent, "each request once")
    tenant = stand.workspace()
    with killer(stand, random.Random(5), kills=15) as killed:
        sent = closed_loop(stand.url, tenant.key, requests, twice=True)
        tenant.digested()
    report.say(f"killed with -9 meanwhile: {killed}")
    compare(tenant, report, sent, f"each twice at once, {len(killed)} workers and children killed")


def compare(tenant: Tenant, report: Report, sent: Sent, how: str) -> None:
    wrong = wrong_figures(tenant, sent)
    lost, doubled, _ = lost_and_doubled(tenant, sent)
    report.add(how, f"{sent.spans:,} spans, {sent.totals.runs:,} runs")
    report.none("  figures that differ, of minutes, hours, runs", len(wrong), "; ".join(wrong[:3]))
    report.none("  acknowledged spans lost", lost)
    report.none("  spans doubled", doubled)
    report.none("  requests never taken", sent.given_up)
    report.none(
        "  answers that OTLP loses data on", sum(sent.strange.values()), str(sent.strange) if sent.strange else ""
    )


@contextmanager
def killer(stand: Stand, rng: random.Random, kills: int, every_s: float = 0.5) -> Iterator[list[str]]:
    """Kills children of the digest worker, and the whole of it every fifth time. Not without end: what is killed more
    often than it can finish a transaction never gets on."""
    killed: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while len(killed) < kills and not stop.wait(every_s * rng.uniform(0.5, 1.5)):
            if len(killed) % 5 == 4:
                stand.kill("digest")
                killed.append("worker")
            elif stand.kill_children("digest"):
                killed.append("child")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()
