"""The ledger as people and programs read it: lists, one entry, and each check that proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from orchestration.ledger import chain, checkpoints, evidence, merkle, seals
from orchestration.ledger.checkpoints import Head
from orchestration.lib.paging import BadCursor, Page, from_cursor, to_cursor


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in a list. `seq` is None until it has its place. `told`: what it says beside who, what and when."""

    id: UUID
    at: datetime
    kind: str
    subject_kind: str
    subject_id: str
    actor: str
    told: Mapping[str, Any]
    seq: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries: "" and None mean any. `q` is part of who acted, or the whole of a subject's id."""

    kind: str = ""
    q: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, in words, and whether it is as it should be."""

    words: str
    good: bool


def entries(workspace_id: int, asked: Asked, limit: int, cursor: str | None = None) -> Page[Line]:
    """Newest first. Raises BadCursor."""
    where, params = _where(workspace_id, asked)
    if cursor:
        where += " and e.id < %s"
        params.append(_uuid(from_cursor(cursor, str)[0]))
    rows = _rows(f"{where} order by e.id desc limit %s", [*params, limit + 1])
    after = to_cursor([str(rows[limit - 1].id)]) if len(rows) > limit else None
    return Page(rows[:limit], after)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadCursor("cursor") from None


def entry(workspace_id: int, entry_id: UUID) -> Line | None:
    found = _rows("e.workspace_id = %s and e.id = %s", [workspace_id, entry_id])
    return found[0] if found else None


def kinds(workspace_id: int) -> list[str]:
    """Kinds of entries that there are: by jumping from one to the next in the index, not by reading all."""
    with connection.cursor() as cursor:
        cursor.execute(
            "with recursive k as ((select kind from ledger_entry where workspace_id = %s order by kind limit 1) "
            "union all select (select kind from ledger_entry where workspace_id = %s and kind > k.kind "
            "order by kind limit 1) from k where k.kind is not null) select kind from k where kind is not null",
            [workspace_id, workspace_id],
        )
        return [row[0] for row in cursor.fetchall()]


def size() -> int:
    """How many entries have their place."""
    with connection.cursor() as cursor:
        return chain.last(cursor)[0]


def checks(workspace_id: int, entry_id: UUID) -> list[Check]:
    """Every step that proves an entry, made anew: nothing is remembered from when it was written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select e.body, e.digest, e.seal, l.seq, l.digest, l.head, "
            "(select head from ledger_link b where b.seq = l.seq - 1) from ledger_entry e "
            "left join ledger_link l on l.entry_id = e.id where e.workspace_id = %s and e.id = %s",
            [workspace_id, entry_id],
        )
        row = cursor.fetchone()
    if row is None:
        return []
    body, digest, seal, seq = row[0].encode(), bytes(row[1]), bytes(row[2]), row[3]
    found = [
        Check("What it says is what its hash was made of.", merkle.leaf(body) == digest),
        Check(
            "It carries Baton's seal, which nobody can make who only has the database.", seals.is_sealed(digest, seal)
        ),
    ]
    if seq is None:
        return [*found, Check("It has no place in the chain yet.", False)]
    before = bytes(row[6]) if row[6] else chain.START
    linked = bytes(row[4]) == digest and bytes(row[5]) == chain.next_head(before, digest)
    found.append(Check(f"It is entry {seq:,} of the chain, and follows from the one before.", linked))
    return found + _headed(workspace_id, entry_id)


def _headed(workspace_id: int, entry_id: UUID) -> list[Check]:
    made = evidence.proof(workspace_id, entry_id)
    if made is None:
        return []
    head = Head.of(made["checkpoint"])
    path = [bytes.fromhex(step) for step in made["path"]]
    inside = merkle.includes(merkle.leaf(made["entry"].encode()), made["index"], head.size, path, head.root)
    return [
        Check(f"{len(path)} hashes lead from it to the signed head over {head.size:,} entries.", inside),
        Check(f"That head is signed by the key {seals.key_id(head.public)}.", head.is_signed),
        Check("The same head lies outside the database.", _is_outside(head)),
    ]


def _is_outside(head: Head) -> bool:
    try:
        return any(each.size == head.size and each.body == head.body for each in checkpoints.written())
    except (OSError, ValueError):
        return False


def _where(workspace_id: int, asked: Asked) -> tuple[str, list[Any]]:
    parts = ["e.workspace_id = %s"]
    found: list[Any] = [workspace_id]
    for sql, value in (("e.kind = %s", asked.kind), ("e.at >= %s", asked.since), ("e.at < %s", asked.until)):
        if value:
            parts.append(sql)
            found.append(value)
    if asked.q:
        parts.append("(e.subject_id = %s or position(lower(%s) in lower(e.actor)) > 0)")
        found += [asked.q, asked.q]
    return " and ".join(parts), found


def _rows(where: str, params: list[Any]) -> list[Line]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select e.id, e.at, e.kind, e.subject_kind, e.subject_id, e.actor, e.body, l.seq from ledger_entry e "
            f"left join ledger_link l on l.entry_id = e.id where {where}",
            params,
        )
        rows = cursor.fetchall()
    return [Line(i, at, kind, of, of_id, actor, _told(body), seq) for i, at, kind, of, of_id, actor, body, seq in rows]


def _told(body: str) -> dict[str, Any]:
    """What an entry says; a body that somebody has spoilt says nothing, and `verify` tells of it."""
    try:
        told = orjson.loads(body)["told"]
    except (ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}
