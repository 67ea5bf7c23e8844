"""From the names in telemetry to the ids of registry rows, in memory; a name not seen before is made on the side.

Names are made in a connection of their own, at once committed: inside the digest's transaction two workers that meet
the same new names would wait for each other until commit. A name that nothing uses after a crash does no harm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.utils.text import slugify

MOST_NAMES = 20_000  # of each kind in a workspace; beyond it a name counts as none, so that a flood of names ends

_side: list[psycopg.Connection[Any]] = []  # at most one


@contextmanager
def side_cursor() -> Any:
    """A cursor on a connection that commits at once, apart from the transaction that runs."""
    if _side and (_side[0].closed or _side[0].broken):
        _side.clear()
    if not _side:
        params = dict(connection.get_connection_params())
        for extra in ("cursor_factory", "context", "prepare_threshold", "pool", "server_side_binding"):
            params.pop(extra, None)
        _side.append(psycopg.connect(**params, autocommit=True))
    with _side[0].cursor() as cursor:
        yield cursor


def forget() -> None:
    """Empty every cache and close the side connection (after a fork, and between tests that empty the tables)."""
    while _side:
        _side.pop().close()
    for book in _books:
        book.clear()


def short_hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


class Book:
    """Names of one table: identity (a tuple of column values) to id, by workspace.

    `table` has an `id`, a `workspace_id`, the `identity` columns under one unique constraint and, where `slug` is
    true, a unique `slug`. `extra` columns are written when the row is made.
    """

    def __init__(self, table: str, identity: Sequence[str], extra: Sequence[str] = (), *, slug: bool = False) -> None:
        self.table, self.identity, self.extra, self.slug = table, tuple(identity), tuple(extra), slug
        self.known: dict[int, dict[tuple[Any, ...], int]] = {}
        _books.append(self)

    def clear(self) -> None:
        self.known.clear()

    def ids(self, workspace_id: int, wanted: dict[tuple[Any, ...], tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
        """Ids of all `wanted` identities (value: their extra columns, and last the text of the slug if there is one).

        Identities over the limit are absent from the answer.
        """
        known = self.known.setdefault(workspace_id, {})
        missing = sorted(key for key in wanted if key not in known)
        if missing:
            self._read(workspace_id, missing)
            missing = [key for key in missing if key not in known]
        if missing and (room := self._room(workspace_id)) > 0:
            self._make(workspace_id, [(key, wanted[key]) for key in missing[:room]])
        return known

    def _room(self, workspace_id: int) -> int:
        """How many names may still be made. Counted in the table, whatever this process has seen of it."""
        with side_cursor() as cursor:
            cursor.execute(f"select count(*) from {self.table} where workspace_id = %s", [workspace_id])
            return MOST_NAMES - int(cursor.fetchone()[0])

    def _read(self, workspace_id: int, keys: Iterable[tuple[Any, ...]]) -> None:
        columns = ", ".join(self.identity)
        holes = ", ".join(["%s"] * len(self.identity))
        known = self.known[workspace_id]
        keys = list(keys)
        with side_cursor() as cursor:
            for start in range(0, len(keys), 200):
                part = keys[start : start + 200]
                rows = ", ".join([f"({holes})"] * len(part))
                cursor.execute(
                    f"select id, {columns} from {self.table} where workspace_id = %s and ({columns}) in ({rows})",
                    [workspace_id, *(value for key in part for value in key)],
                )
                known.update({tuple(row[1:]): row[0] for row in cursor})

    def _make(self, workspace_id: int, rows: list[tuple[tuple[Any, ...], tuple[Any, ...]]]) -> None:
        """Insert in order of identity, then read; a slug that is taken gets a hash of the identity behind it."""
        for hashed in (False, True):
            known = self.known[workspace_id]
            rows = [(key, extra) for key, extra in rows if key not in known]
            if not rows:
                return
            columns = ["workspace_id", "created_at", *self.identity, *self.extra, *(["slug"] if self.slug else [])]
            sql = (
                f"insert into {self.table} ({', '.join(columns)}) values "
                f"({', '.join('now()' if c == 'created_at' else '%s' for c in columns)}) on conflict do nothing"
            )
            with side_cursor() as cursor:
                cursor.executemany(sql, [self._values(workspace_id, key, extra, hashed) for key, extra in rows])
            self._read(workspace_id, [key for key, _ in rows])
            if not self.slug:
                return

    def _values(self, workspace_id: int, key: tuple[Any, ...], extra: tuple[Any, ...], hashed: bool) -> list[Any]:
        values = [workspace_id, *key, *extra[: len(self.extra)]]
        if not self.slug:
            return values
        text = slugify(extra[-1], allow_unicode=False)[:180] or "unnamed"
        digest = short_hash(*(str(part) for part in key))
        return [*values, f"{text}-{digest}" if hashed or text == "unnamed" else text]


_books: list[Book] = []
applications = Book("registry_application", ("name", "environment"))
agents = Book("registry_agent", ("application_id", "key"), ("name", "kind", "external_id", "version"), slug=True)
systems = Book("registry_system", ("kind", "key"), ("name", "provider"), slug=True)


def applications_named(workspace_id: int, wanted: set[str]) -> dict[str, int]:
    """Application ids by name alone, for steps whose environment is not at hand: the newest one of a name. Another
    process may have met it: the table is asked before one without an environment is made."""
    known = applications.known.setdefault(workspace_id, {})
    unseen = wanted.difference(name for name, _ in known)
    if unseen:
        with side_cursor() as cursor:
            cursor.execute(
                "select id, name, environment from registry_application where workspace_id = %s and name = any(%s)",
                [workspace_id, sorted(unseen)],
            )
            known.update({(row[1], row[2]): row[0] for row in cursor})
    found = {name: i for (name, _), i in sorted(known.items(), key=lambda item: item[1]) if name in wanted}
    missing = wanted - set(found)
    if missing:
        ids = applications.ids(workspace_id, {(name, ""): () for name in missing})
        found.update({name: ids[name, ""] for name in missing if (name, "") in ids})
    return found
