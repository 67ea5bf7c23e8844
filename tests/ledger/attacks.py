"""How somebody would change what is recorded: with the rights of Baton's own role, and with all rights."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from orchestration.ledger import chain, merkle

# What an injected statement could try; each must be refused by the database.
AS_BATON: dict[str, str] = {
    "edit": "update ledger_entry set body = replace(body, 'allow', 'deny')",
    "edit a link": "update ledger_link set head = '\\x00'",
    "write over": (
        "insert into ledger_checkpoint select * from ledger_checkpoint on conflict (size) do update set root = '\\x00'"
    ),
    "delete": "delete from ledger_entry",
    "delete heads": "delete from ledger_checkpoint",
    "truncate": "truncate ledger_entry, ledger_link, ledger_block, ledger_checkpoint",
    "silence the triggers": "alter table ledger_entry disable trigger all",
    "drop a trigger": "drop trigger ledger_entry_rows on ledger_entry",
    "a trigger of one's own": (
        "create trigger zz before insert on ledger_entry for each row "
        "execute function suppress_redundant_updates_trigger()"
    ),
    "a rule": "create rule zz as on insert to ledger_entry do instead nothing",
    "another function": (
        "create or replace function ledger_forbid() returns trigger language plpgsql as 'begin return new; end'"
    ),
    "drop the function": "drop function ledger_forbid() cascade",
    "drop": "drop table ledger_entry, ledger_link, ledger_block, ledger_checkpoint",
    "rename": "alter table ledger_entry rename to ledger_old",
    "a column": "alter table ledger_entry drop column seal",
    "drop the schema": "drop schema public cascade",
    "rename the schema": "alter schema public rename to gone",
    "a schema in front": "create schema before",
    "drop the database": "drop database baton",
    "own it": "alter table ledger_entry owner to baton",
    "join its owner": "grant baton_ledger to baton",
    "be its owner": "set role baton_ledger",
    "be superuser": "set role postgres",
    "become superuser": "alter role baton superuser",
    "as a replica": "set session_replication_role = replica",
    "a lock": "begin; lock table ledger_entry in access exclusive mode",
}


def hashed_anew(cursor: Any) -> None:
    """Every digest, link and head of the chain, over entries that say something else now."""
    cursor.execute('update ledger_entry set body = replace(body, \'"effect":"allow"\', \'"effect":"deny"\')')
    cursor.execute("select id, body from ledger_entry order by id")
    rows = [(i, merkle.leaf(body.encode())) for i, body in cursor.fetchall()]
    for entry_id, digest in rows:
        cursor.execute("update ledger_entry set digest = %s where id = %s", [digest, entry_id])
        cursor.execute("update ledger_link set digest = %s where entry_id = %s", [digest, entry_id])
    cursor.execute("select seq, digest from ledger_link order by seq")
    head = chain.START
    for seq, digest in cursor.fetchall():
        head = sha256(head + bytes(digest)).digest()
        cursor.execute("update ledger_link set head = %s where seq = %s", [head, seq])


def without_heads(cursor: Any) -> None:
    hashed_anew(cursor)
    cursor.execute("delete from ledger_checkpoint")


# What nothing refuses to somebody with all rights; each must be found. Entries tell of subjects "0" to "7", five of
# which a head was signed over.
AS_OWNER: dict[str, Callable[[Any], Any]] = {
    "edit": lambda c: c.execute("update ledger_entry set body = replace(body, 'allow', 'deny') where subject_id = '3'"),
    "edit a column": lambda c: c.execute("update ledger_entry set actor = 'agent:other' where subject_id = '3'"),
    "delete": lambda c: c.execute("delete from ledger_entry where subject_id = '2'"),
    "delete with its link": lambda c: c.execute(
        "with gone as (delete from ledger_entry where subject_id = '2' returning id) "
        "delete from ledger_link using gone where entry_id = gone.id"
    ),
    "truncate": lambda c: c.execute("truncate ledger_entry, ledger_link, ledger_block, ledger_checkpoint"),
    "cut the end": lambda c: c.execute(
        "with gone as (delete from ledger_link where seq > 4 returning entry_id) "
        "delete from ledger_entry using gone where id = gone.entry_id"
    ),
    "swap": lambda c: c.execute(
        "update ledger_link a set entry_id = b.entry_id, digest = b.digest from ledger_link b "
        "where a.seq in (2, 3) and b.seq = 5 - a.seq"
    ),
    "insert": lambda c: c.execute(
        "insert into ledger_entry select gen_random_uuid(), workspace_id, at, kind, subject_kind, 'forged', actor, "
        "body, digest, decode(repeat('00', 32), 'hex') from ledger_entry limit 1"
    ),
    "hash all anew": hashed_anew,
    "delete the heads too": without_heads,
}
