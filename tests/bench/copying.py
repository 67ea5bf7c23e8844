"""What this machine's PostgreSQL does at best: a binary COPY of really digested rows into an identical table."""

from __future__ import annotations

import time
from dataclasses import dataclass

from psycopg import sql

from tests.bench.stand import Stand, Tenant

PARTITIONS = """
select child.relname, pg_get_expr(child.relpartbound, child.oid)
from pg_inherits i join pg_class child on child.oid = i.inhrelid where i.inhparent = 'telemetry_span'::regclass
"""


@dataclass(frozen=True)
class Copy:
    rows: int
    seconds: float
    bytes: int
    indexes: int
    cpu_us: float  # of PostgreSQL, a row

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


def copy_rate(tenant: Tenant, rows: int) -> Copy:
    """One COPY of that many of the tenant's spans; the best of three, each into an empty table."""
    return max((_once(tenant, rows) for _ in range(3)), key=lambda one: one.rate)


def _once(tenant: Tenant, rows: int) -> Copy:
    with tenant.stand.connect() as connection:
        make_twin(tenant.stand)
        source = "copy (select * from telemetry_span where workspace_id = {} limit {}) to stdout (format binary)"
        with connection.cursor().copy(sql.SQL(source).format(tenant.id, rows)) as out:
            blocks = [bytes(block) for block in out]
        body = b"".join(blocks)
        parts = [body[i : i + 65536] for i in range(0, len(body), 65536)]
        before, begun = tenant.stand.cpu()["postgres"], time.perf_counter()
        with connection.cursor().copy("copy bench_span from stdin (format binary)") as into:
            for part in parts:
                into.write(part)
        seconds, used = time.perf_counter() - begun, tenant.stand.cpu()["postgres"] - before
        count = connection.execute("select count(*) from bench_span").fetchone()
        indexes = connection.execute("select count(*) from pg_indexes where tablename = 'bench_span'").fetchone()
        connection.execute("drop table bench_span")
        assert count
        assert indexes
        return Copy(count[0], seconds, len(body), indexes[0], used / count[0] * 1e6)


def make_twin(stand: Stand) -> None:
    """The same columns, indexes, storage and partitions."""
    with stand.connect() as connection:
        connection.execute("drop table if exists bench_span")
        connection.execute(
            "create table bench_span (like telemetry_span including all) partition by range (started_at)"
        )
        for name, bound in connection.execute(PARTITIONS).fetchall():
            statement = sql.SQL("create table {} partition of bench_span {}")
            connection.execute(statement.format(sql.Identifier(f"bench_{name}"), sql.SQL(bound)))
