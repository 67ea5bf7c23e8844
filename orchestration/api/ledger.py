"""The ledger for programs: entries, proofs and signed heads, to be checked without trusting Baton."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.refusals import Refused
from orchestration.api.shapes import Asked, PageIn, Text
from orchestration.ledger import checkpoints, evidence, reading, seals
from orchestration.ledger.checkpoints import Discontinued

router = Router(auth=KeyAuth("read"), tags=["Ledger"])
MOST_HEADS = 200


class SubjectOut(Schema):
    kind: str
    id: str


class EntryOut(Schema):
    id: UUID
    at: datetime
    kind: str
    subject: SubjectOut
    actor: str
    told: dict[str, Any]
    index: int | None


class EntriesOut(Schema):
    items: list[EntryOut]
    next: str | None


class HeadOut(Schema):
    """`body` is the text that was signed (Ed25519): canonical JSON with size, root, head and time."""

    body: str
    signature: str
    public_key: str


class HeadsOut(Schema):
    items: list[HeadOut]
    public_key: str


class ProofOut(Schema):
    """SHA-256 of a zero byte and `entry` is leaf `index` of the tree (RFC 6962) whose root the checkpoint signs; `path`
    leads there."""

    entry: str
    index: int
    path: list[str]
    checkpoint: HeadOut


class ConsistencyOut(Schema):
    first: HeadOut
    second: HeadOut
    path: list[str]


class EntriesIn(PageIn):
    kind: Text = ""


@router.get("/ledger/entries", response=EntriesOut, summary="Entries, newest first")
def entries(request: Asked, wanted: Query[EntriesIn]) -> dict[str, Any]:
    asked = reading.Asked(kind=wanted.kind, q=wanted.q)
    page = reading.entries(request.auth.workspace_id, asked, wanted.limit, wanted.cursor or None)
    return {"items": [_entry(line) for line in page.items], "next": page.next}


@router.get("/ledger/entries/{entry_id}", response=EntryOut, summary="One entry")
def entry(request: Asked, entry_id: UUID) -> dict[str, Any]:
    found = reading.entry(request.auth.workspace_id, entry_id)
    if found is None:
        raise Http404
    return _entry(found)


@router.get("/ledger/entries/{entry_id}/proof", response=ProofOut, summary="That an entry is in the signed record")
def proof(request: Asked, entry_id: UUID) -> dict[str, Any]:
    try:
        made = evidence.proof(request.auth.workspace_id, entry_id)
    except evidence.NotYet:
        raise Refused(409, "no_place", "The entry gets its place within a second.", retry_after=1) from None
    except Discontinued as broken:
        raise Refused(503, "not_signed", f"Nothing is signed at the moment. {broken}") from None
    if made is None:
        raise Http404
    return made


@router.get("/ledger/checkpoints", response=HeadsOut, summary="Signed heads, newest first")
def heads(request: HttpRequest) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("select size from ledger_checkpoint order by size desc limit %s", [MOST_HEADS])
        sizes = [row[0] for row in cursor.fetchall()]
    found = [head.stored() for size in sizes if (head := checkpoints.of_size(size))]
    return {"items": found, "public_key": base64.b64encode(seals.public_key()).decode()}


@router.get(
    "/ledger/checkpoints/{size}/consistency", response=ConsistencyOut, summary="That a head continues an earlier one"
)
def consistency(request: HttpRequest, size: int, earlier: int) -> dict[str, Any]:
    made = evidence.consistency(earlier, size) if 0 < earlier <= size < 2**62 else None
    if made is None:
        raise Http404
    return made


def _entry(line: reading.Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "at": line.at,
        "kind": line.kind,
        "subject": {"kind": line.subject_kind, "id": line.subject_id},
        "actor": line.actor,
        "told": dict(line.told),
        "index": None if line.seq is None else line.seq - 1,
    }
