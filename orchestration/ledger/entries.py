"""Makes entries. Whoever causes one inserts it in the same transaction; `chain` links it within a second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from uuid_utils.compat import uuid7

from orchestration.ledger import merkle, seals
from orchestration.lib.canonical import Plain, canonical

COLUMNS = ("id", "workspace_id", "at", "kind", "subject_kind", "subject_id", "actor", "body", "digest", "seal")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry not yet stored. `values` are in the order of `COLUMNS`."""

    id: UUID
    values: tuple[Any, ...]


def row(made: Draft) -> dict[str, Any]:
    """As `jsonb_populate_record` takes it, by way of orjson."""
    told = dict(zip(COLUMNS, made.values, strict=True))
    told["digest"], told["seal"] = f"\\x{told['digest'].hex()}", f"\\x{told['seal'].hex()}"
    return told


def draft(
    workspace_id: int, kind: str, subject: tuple[str, str], actor: str, told: Mapping[str, Any], at: datetime
) -> Draft:
    """`told` is JSON-ready, without floats of unknown origin: amounts are texts, so that they stay as they were."""
    entry_id, plain = uuid7(), isinstance(told, Plain)
    entry: dict[str, Any] = {
        "id": str(entry_id),
        "workspace": workspace_id,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "kind": kind,
        "subject": {"kind": subject[0], "id": subject[1]},
        "actor": actor,
        "told": told if plain else dict(told),
    }
    body = canonical(Plain(entry) if plain else entry)  # all else in it is plain in any case
    digest = merkle.leaf(body)
    values = (entry_id, workspace_id, at, kind, *subject, actor, body.decode(), digest, seals.seal(digest))
    return Draft(entry_id, values)


def record(
    workspace_id: int, kind: str, subject: tuple[str, str], actor: str, told: Mapping[str, Any], at: datetime
) -> UUID:
    """Store an entry in the transaction that runs; returns its id."""
    made = draft(workspace_id, kind, subject, actor, told, at)
    record_all([made])
    return made.id


def record_all(drafts: Iterable[Draft]) -> None:
    """Store many at once, in the transaction that runs."""
    rows = [made.values for made in drafts]
    if not rows:
        return
    with connection.cursor() as cursor:
        holes = ", ".join(["%s"] * len(COLUMNS))
        cursor.executemany(f"insert into ledger_entry ({', '.join(COLUMNS)}) values ({holes})", rows)
