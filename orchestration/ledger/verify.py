"""Checks all of the ledger against itself, its key and its checkpoints outside the database.

1. each link   in its place, with its entry, which says what its digest says, is sealed, and leads to the next head
2. entries     none is without a link for longer than a minute
3. heads       every checkpoint, in the database and outside, is signed and is a beginning of this very chain
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from orchestration.ledger import chain, checkpoints, merkle, seals
from orchestration.ledger.checkpoints import Head

MOST_FAULTS = 100
UNLINKED = timedelta(minutes=1)
_ROWS = (
    "select l.seq, l.entry_id, l.digest, l.head, e.body, e.digest, e.seal, e.workspace_id, e.at, e.kind, "
    "e.subject_kind, e.subject_id, e.actor from ledger_link l left join ledger_entry e on e.id = l.entry_id "
    "order by l.seq"
)
Progress = Callable[[int, int], None]  # links checked, of how many


@dataclass(slots=True)
class Report:
    """`faults`: the first ones, in the order of the chain. `heads` were checked, of which `outside` in files."""

    links: int = 0
    heads: int = 0
    outside: int = 0
    waiting: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.faults

    def wrong(self, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(message)


def verify(progress: Progress | None = None) -> Report:
    """One snapshot of the database: what is linked meanwhile is not seen."""
    report = Report()
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.in_atomic_block and len(connection.savepoint_ids) == 0:
            cursor.execute("set transaction isolation level repeatable read, read only")
        heads = _heads(cursor, report)
        roots = _chain(cursor, report, {head.size for _, head in heads}, progress)
        _unlinked(cursor, report)
    for name, head in heads:
        _check(report, name, head, roots)
    return report


def _chain(
    cursor: Any, report: Report, sizes: set[int], progress: Progress | None
) -> Mapping[int, tuple[bytes, bytes]]:
    """Walk the links; returns root and head at each of `sizes`."""
    cursor.execute("select count(*) from ledger_link")
    total = int(cursor.fetchone()[0])
    tree, head, roots = merkle.Growing(), chain.START, {}
    for row in _rows(cursor):
        head = _link(report, row, head)
        tree.add(bytes(row[2]))
        if tree.size in sizes:
            roots[tree.size] = tree.root(), head
        if progress and tree.size % 500 == 0:
            progress(tree.size, total)
    report.links = tree.size
    if progress:
        progress(total, total)
    return roots


def _rows(cursor: Any) -> Iterator[tuple[Any, ...]]:
    """Through a cursor on the server: a ledger may be larger than memory."""
    cursor.execute(f"declare ledger_rows no scroll cursor for {_ROWS}")
    try:
        while True:
            cursor.execute("fetch 5000 from ledger_rows")
            rows = cursor.fetchall()
            if not rows:
                return
            yield from rows
    finally:
        cursor.execute("close ledger_rows")


def _link(report: Report, row: tuple[Any, ...], before: bytes) -> bytes:
    seq, entry_id, digest, head = row[0], row[1], bytes(row[2]), bytes(row[3])
    report.links += 1
    if seq != report.links:
        report.wrong(f"link {report.links} is missing: the next one is {seq}")
        report.links = seq
    if row[4] is None:
        report.wrong(f"link {seq}: its entry {entry_id} is gone")
    else:
        _entry(report, row, digest)
    if head != chain.next_head(before, digest):
        report.wrong(f"link {seq}: the chain is broken here")
    return head


def _entry(report: Report, row: tuple[Any, ...], digest: bytes) -> None:
    name = f"entry {row[1]} (link {row[0]})"
    body = row[4].encode()
    if not digest == bytes(row[5]) == merkle.leaf(body):
        report.wrong(f"{name} does not say what it said when it was linked")
    elif not seals.is_sealed(digest, bytes(row[6])):
        report.wrong(f"{name} was not written by Baton")
    elif not _agrees(body, row):
        report.wrong(f"{name}: its columns say something else than its body")


def _agrees(body: bytes, row: tuple[Any, ...]) -> bool:
    told = orjson.loads(body)
    subject = told["subject"]
    return (
        told["id"] == str(row[1])
        and told["workspace"] == row[7]
        and told["at"] == row[8].isoformat(timespec="microseconds")
        and (told["kind"], subject["kind"], subject["id"], told["actor"]) == row[9:13]
    )


def _unlinked(cursor: Any, report: Report) -> None:
    cursor.execute(
        "select e.id, e.at, e.digest, e.seal from ledger_entry e "
        "where not exists (select 1 from ledger_link l where l.entry_id = e.id) order by e.id"
    )
    for entry_id, at, digest, seal in cursor.fetchall():
        if not seals.is_sealed(bytes(digest), bytes(seal)):
            report.wrong(f"entry {entry_id} was not written by Baton, and has no link")
        elif at < timezone.now() - UNLINKED:
            report.wrong(f"entry {entry_id} has no link, though it is of {at:%Y-%m-%d %H:%M:%S}")
        else:
            report.waiting += 1


def _heads(cursor: Any, report: Report) -> list[tuple[str, Head]]:
    cursor.execute("select size, root, head, at, body, signature from ledger_checkpoint order by size")
    heads = []
    for size, root, head, at, body, signature in cursor.fetchall():
        name = f"checkpoint {size}"
        signed = Head(size, bytes(root), bytes(head), at, body.encode(), bytes(signature), seals.public_key())
        told = orjson.loads(body)
        if (told["size"], told["root"], told["head"]) != (size, signed.root.hex(), signed.head.hex()):
            report.wrong(f"{name}: its columns say something else than what was signed")
        heads.append((name, signed))
    try:
        outside = checkpoints.written()
    except (ValueError, OSError) as error:
        report.wrong(f"a checkpoint outside the database cannot be read: {error}")
        outside = []
    if heads and not outside:
        report.wrong(f"no checkpoint is left outside the database, in {checkpoints.folder().name}")
    report.outside = len(outside)
    return heads + [(f"checkpoint {head.size} outside the database", head) for head in outside]


def _check(report: Report, name: str, head: Head, roots: Mapping[int, tuple[bytes, bytes]]) -> None:
    report.heads += 1
    if head.public != seals.public_key() or not head.is_signed:
        report.wrong(f"{name} is not signed by this installation's key")
    elif head.size not in roots and head.size:
        report.wrong(f"{name} covers {head.size} entries, of which only {report.links} are left")
    elif head.size and roots[head.size] != (head.root, head.head):
        report.wrong(f"{name} was signed over other entries than these")
