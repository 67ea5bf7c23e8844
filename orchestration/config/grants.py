"""Who may do what in the embedded database, beyond what Django arranges.

Baton's processes connect as `baton`, which owns the ordinary tables: the digest makes and drops days of them. The
ledger belongs to a role of its own that nobody can log in as, and `baton` may read it and add to it, nothing else. So
that a table cannot be taken away with what it lies in, database and schema belong to the superuser. All of it is
arranged at each start, out of whatever state an earlier version, a dump or a cut-short migration left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

BATON = sql.Identifier("baton")
LEDGER = "baton_ledger"
TABLES = r"ledger\_%"  # every table of that room, also one that a later version adds
FUNCTION = "ledger_forbid"
# Names are looked up among the tables before they are among temporary ones, which `baton` may make.
OPTIONS = "-c search_path=public,pg_temp"

# nothing is altered that is as it should be: it would wait for whoever uses the table, and let others wait
AMISS = """
select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname like %s
and c.relkind in ('r', 'p') and (c.relowner <> %s::regrole
or exists (select 1 from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g
where g.grantee <> c.relowner and (g.grantee <> 'baton'::regrole or g.privilege_type not in ('SELECT', 'INSERT')))
or not has_table_privilege('baton', c.oid, 'SELECT') or not has_table_privilege('baton', c.oid, 'INSERT'))
"""
ANOTHERS = (
    "select 1 from pg_proc where proname = %s and pronamespace = 'public'::regnamespace and proowner <> %s::regrole"
)
LENT = "select 1 from pg_auth_members where roleid = %s::regrole and member = 'baton'::regrole"
OWNED = "select 1 from pg_database where datname = current_database() and datdba = 'baton'::regrole"

Connection = psycopg.Connection[Any]


def arrange(dsn: dict[str, str]) -> None:
    """Makes it so. `dsn`: Baton's database, as superuser."""
    with psycopg.connect(make_conninfo(**dsn)) as connection:
        if not connection.execute("select 1 from pg_roles where rolname = %s", [LEDGER]).fetchone():
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(LEDGER)))
        if connection.execute(LENT, [LEDGER]).fetchone():
            connection.execute(sql.SQL("revoke {} from {}").format(sql.Identifier(LEDGER), BATON))
        if connection.execute(OWNED).fetchone():
            _own(connection)
        _guard(connection)


def _own(connection: Connection) -> None:
    """Takes database and schema from `baton`: who owns a schema can drop whatever lies in it."""
    name = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("alter database {} owner to current_user").format(name))
    connection.execute(sql.SQL("grant connect, temporary on database {} to {}").format(name, BATON))
    connection.execute(sql.SQL("grant usage, create on schema public to {}").format(BATON))


def _guard(connection: Connection) -> None:
    owner = sql.Identifier(LEDGER)
    for (name,) in connection.execute(AMISS, [TABLES, LEDGER]).fetchall():
        table = sql.Identifier("public", name)
        connection.execute(sql.SQL("alter table {} owner to {}").format(table, owner))
        connection.execute(sql.SQL("revoke all on {} from {}, public").format(table, BATON))
        connection.execute(sql.SQL("grant select, insert on {} to {}").format(table, BATON))
    if connection.execute(ANOTHERS, [FUNCTION, LEDGER]).fetchone():
        function = sql.Identifier("public", FUNCTION)
        connection.execute(sql.SQL("alter function {}() owner to {}").format(function, owner))


@contextmanager
def lent(dsns: Sequence[dict[str, str]]) -> Iterator[None]:
    """The ledger is `baton`'s inside this block: for migrations, which alter its tables or make new ones."""
    for dsn in dsns:
        with psycopg.connect(make_conninfo(**dsn)) as connection:
            connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(LEDGER), BATON))
    try:
        yield
    finally:
        for dsn in dsns:
            arrange(dsn)
