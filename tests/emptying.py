"""The database, empty again after a test whose rows other connections saw."""

from __future__ import annotations

from django.db import connection

EMPTY = """
do $$ declare
    found record;
    filled boolean;
begin
    for found in
        select pg_class.oid::regclass as name,
               exists (select from pg_trigger where tgrelid = pg_class.oid and tgtype & 9 = 9 and not tgisinternal)
                   as guarded
        from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
          and relname not in ('django_migrations', 'django_content_type', 'auth_permission')
          and (relkind = 'p' or pg_relation_size(pg_class.oid) > 0)
    loop
        if not found.guarded then
            execute format('delete from %s', found.name);
            continue;
        end if;
        execute format('select exists (select from %s)', found.name) into filled;
        if filled then
            execute format('truncate %s', found.name);
        end if;
    end loop;
end $$
"""


def empty(*_: object) -> None:
    """Deletes what there is; where a trigger guards each row from that, the table is truncated. Django would truncate
    all of them, which makes new files for some hundred tables, partitions and indexes, however few rows there are."""
    with connection.cursor() as cursor:
        cursor.execute(EMPTY)


def lost(*_: object) -> bool:
    """Whether a test of that kind leaves no connection that the next could go on with. Django would make one anew for
    each, and a new one reads the catalogue of all tables and partitions anew."""
    return connection.connection is None or not connection.is_usable() or connection.in_atomic_block
