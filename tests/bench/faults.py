"""Parts die or stand still while three senders obey OTLP's rules: nothing that was acknowledged may be lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.errors import DeadlockDetected

from tests.bench.books import lost_and_doubled, wrong_figures
from tests.bench.load import Template, templates
from tests.bench.report import Report
from tests.bench.sending import Sent, for_seconds
from tests.bench.stand import Stand, Tenant
from tests.bench.traces import Shape

READY_S = 30.0
SENDERS = 3


@dataclass(frozen=True)
class Fault:
    """`seconds`: how long it lasts by the protocol of 60 s, shortened with it."""

    name: str
    seconds: float
    strike: Callable[[Stand, float], None]


def kill_web(stand: Stand, seconds: float) -> None:
    for _ in range(2):
        stand.kill("web")
        time.sleep(seconds / 2)


def kill_workers(stand: Stand, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stand.kill_children("digest")
        stand.kill_children("worker")
        time.sleep(1.0)
        stand.kill("digest")
        stand.kill("worker")
        time.sleep(1.0)


def stop_postgres(stand: Stand, seconds: float) -> None:
    with stand.unwatched():
        stand.kill("postgres", signal.SIGQUIT)
        time.sleep(seconds)


def kill_postgres(stand: Stand, seconds: float) -> None:
    stand.kill("postgres")
    time.sleep(seconds)


def kill_valkey(stand: Stand, seconds: float) -> None:
    with stand.unwatched():
        stand.kill("valkey")
        time.sleep(seconds)


def lock_table(name: str) -> Callable[[Stand, float], None]:
    def strike(stand: Stand, seconds: float) -> None:
        with stand.connect() as connection, connection.transaction():
            connection.execute(f"lock table {name} in access exclusive mode")
            time.sleep(seconds)

    return strike


def fill_disk(stand: Stand, seconds: float) -> None:
    """What PostgreSQL says when there is no room for spans, by a trigger that says it: no volume has to be filled."""
    with stand.connect() as connection:
        at_last(connection, FULL)
        time.sleep(seconds)
        at_last(connection, "drop function disk_is_full() cascade")


def at_last(connection: Connection[Any], statement: str) -> None:
    """Changes a table that is written to meanwhile: whoever waits for the table and has a part of it is now and then
    who waits for us, and PostgreSQL ends one of the two."""
    for _ in range(50):
        with suppress(DeadlockDetected):
            connection.execute(statement)
            return
    raise RuntimeError(f"ended for a deadlock each time: {statement}")


FULL = """
create function disk_is_full() returns trigger language plpgsql as $$
begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
create trigger disk_is_full before insert on telemetry_span for each row execute function disk_is_full();
"""
FAULTS = (
    Fault("kill -9 web, twice", 10, kill_web),
    Fault("kill -9 workers and their children", 10, kill_workers),
    Fault("PostgreSQL stopped at once", 5, stop_postgres),
    Fault("kill -9 PostgreSQL", 1, kill_postgres),
    Fault("Valkey dead", 30, kill_valkey),
    Fault("table of deliveries locked", 20, lock_table("telemetry_delivery")),
    Fault("table of spans locked", 20, lock_table("telemetry_span")),
    Fault("no room for spans on the disk", 20, fill_disk),
)


def measure(stand: Stand, report: Report, seconds: float) -> None:
    """Each fault under load for `seconds`; by the protocol 60."""
    tenant = stand.workspace()
    choice = templates(24, Shape(spans=20, trace=(4, 12), seed=6))
    whole = Sent()
    for fault in FAULTS:
        whole.add(one(stand, tenant, report, choice, fault, seconds))
    wrong = wrong_figures(tenant, whole)
    lost, doubled, unasked = lost_and_doubled(tenant, whole)
    report.add("acknowledged in all", f"{whole.spans:,} spans", ratio=f"stored without an answer: {unasked}")
    report.none("acknowledged spans lost", lost)
    report.none("spans doubled", doubled)
    if not unasked:  # else the figures rightly hold more than was acknowledged
        report.none("figures that differ", len(wrong), "; ".join(wrong[:3]))


def one(stand: Stand, tenant: Tenant, report: Report, choice: list[Template], fault: Fault, seconds: float) -> Sent:
    lasts = fault.seconds * min(1.0, seconds / 60)

    def strike() -> float:
        time.sleep(seconds * 0.2)
        fault.strike(stand, lasts)
        return stand.until(stand.ready, 120)

    with ThreadPoolExecutor(1) as beside:
        struck = beside.submit(strike)
        sent = for_seconds(stand.url, tenant.key, choice, max(seconds, lasts + 3), SENDERS, pause_s=0.01)
        ready_s = struck.result()
    begun = time.monotonic()
    tenant.digested()
    report.add("  digested again", f"{time.monotonic() - begun:.1f} s after the load")
    codes = ", ".join(f"{code or 'broken'}: {n}" for code, n in sorted(sent.codes.items()))
    report.add(f"{fault.name} ({lasts:.0f} s)", f"{sent.spans:,} spans taken", ratio=codes)
    report.none("  answers that OTLP loses data on", sum(sent.strange.values()))
    report.none("  requests never taken", sent.given_up)
    report.most("  ready after the fault", ready_s, READY_S, "s", firm=True)
    return sent
