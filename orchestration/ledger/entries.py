"""Makes entries. Whoever causes one inserts it in the same transaction; `chain` links it within a second."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import rfc8785
from django.db import connection
from uuid_utils.compat import uuid7

COLUMNS = "id, workspace_id, at, kind, subject_kind, subject_id, actor, body, digest"
LEAF = b"\x00"  # RFC 6962 section 2.1: leaves and nodes are hashed apart


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry not yet stored. `values` are in the order of `COLUMNS`."""

    id: UUID
    values: tuple[Any, ...]


def draft(
    workspace_id: int, kind: str, subject: tuple[str, str], actor: str, told: Mapping[str, Any], at: datetime
) -> Draft:
    """`told` is JSON-ready, without floats of unknown origin: amounts are texts, so that they stay as they were."""
    entry_id = uuid7()
    body = rfc8785.dumps(
        {
            "id": str(entry_id),
            "workspace": workspace_id,
            "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
            "kind": kind,
            "subject": {"kind": subject[0], "id": subject[1]},
            "actor": actor,
            "told": dict(told),
        }
    )
    values = (entry_id, workspace_id, at, kind, *subject, actor, body.decode(), leaf(body))
    return Draft(entry_id, values)


def leaf(body: bytes) -> bytes:
    return hashlib.sha256(LEAF + body).digest()


def record(
    workspace_id: int, kind: str, subject: tuple[str, str], actor: str, told: Mapping[str, Any], at: datetime
) -> UUID:
    """Store an entry in the transaction that runs; returns its id."""
    made = draft(workspace_id, kind, subject, actor, told, at)
    with connection.cursor() as cursor:
        cursor.execute(f"insert into ledger_entry ({COLUMNS}) values ({', '.join(['%s'] * 9)})", made.values)
    return made.id
