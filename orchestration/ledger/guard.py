"""Whether the database itself keeps Baton from changing the ledger: asked at each start, and by the health page.

In the embedded engine it does: the role that Baton runs as may read the ledger's tables and add to them, nothing else.
On a server of one's own with one role for everything, that role owns the tables and could take their triggers away.
"""

from __future__ import annotations

from django.db import connection

TABLES = ("ledger_entry", "ledger_link", "ledger_block", "ledger_checkpoint")
WORDS = "Only triggers keep the ledger from being changed: the database role that Baton runs as owns its tables."
HINT = (
    "Have the tables ledger_* owned by a role of their own, and grant Baton's role SELECT and INSERT on them alone. "
    "What is changed all the same is found by verify_ledger."
)
_OPEN = """
select c.relname from pg_class c where c.relname = any(%s) and pg_table_is_visible(c.oid)
and (pg_has_role(c.relowner, 'USAGE') or has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER'))
order by 1
"""


def unguarded() -> list[str]:
    """The ledger's tables that Baton's own role may do more to than read and add."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [list(TABLES)])
        return [row[0] for row in cursor.fetchall()]
