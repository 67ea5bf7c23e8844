"""Evidence to hand out: entries, each with its proof, and the signed head they are proved by. Whoever has the file and
the public key needs no access to Baton to check it (`check`)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from orchestration.ledger import chain, checkpoints, merkle
from orchestration.ledger.checkpoints import Head

FORMAT = "baton evidence 1"


class NotYet(Exception):
    """The entry has no place in the chain yet: it will have one within a second."""


def proof(workspace_id: int, entry_id: UUID, head: Head | None = None) -> dict[str, Any] | None:
    """The entry, its place, and the path from it to a signed head. None: the workspace has no such entry."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select e.body, l.seq from ledger_entry e left join ledger_link l on l.entry_id = e.id "
            "where e.workspace_id = %s and e.id = %s",
            [workspace_id, entry_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    body, seq = row
    if seq is None:
        raise NotYet
    head = head or checkpoints.covering(seq)
    path = merkle.inclusion(seq - 1, head.size, chain.hashed)
    return {
        "entry": body,
        "index": seq - 1,
        "path": [step.hex() for step in path],
        "checkpoint": head.stored(),
    }


def consistency(earlier: int, later: int) -> dict[str, Any] | None:
    """That one checkpoint continues another. None: there are no two such checkpoints."""
    first, second = checkpoints.of_size(earlier), checkpoints.of_size(later)
    if first is None or second is None or earlier > later:
        return None
    path = merkle.consistency(earlier, later, chain.hashed)
    return {"first": first.stored(), "second": second.stored(), "path": [step.hex() for step in path]}


def bundle(workspace_id: int, entry_ids: Sequence[UUID]) -> dict[str, Any]:
    """A file of evidence: all entries under one head."""
    head = checkpoints.sign()
    found = [made for entry_id in entry_ids if (made := proof(workspace_id, entry_id, head))]
    for each in found:
        del each["checkpoint"]
    return {"format": FORMAT, "checkpoint": head.stored(), "entries": found}


def check(given: Mapping[str, Any], public: bytes | None = None) -> list[str]:
    """What is wrong with a file of evidence, in its order; nothing: every entry is proved. `public`: the key it has to
    be signed by, where it is known from elsewhere."""
    if given.get("format") != FORMAT or not isinstance(given.get("entries"), list):
        return ["this is no file of evidence by Baton"]
    try:
        head = Head.of(given["checkpoint"])
    except (KeyError, ValueError) as error:
        return [f"its checkpoint cannot be read: {error}"]
    if not head.is_signed:
        return ["its checkpoint's signature is wrong"]
    if public is not None and head.public != public:
        return [f"it is signed by another key: {base64.b64encode(head.public).decode()}"]
    return [wrong for place, each in enumerate(given["entries"], 1) if (wrong := _wrong(place, each, head))]


def _wrong(place: int, each: Mapping[str, Any], head: Head) -> str:
    try:
        name = f"entry {place} ({orjson.loads(each['entry'])['id']})"
        path = [bytes.fromhex(step) for step in each["path"]]
        good = merkle.includes(merkle.leaf(each["entry"].encode()), int(each["index"]), head.size, path, head.root)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"entry {place} cannot be read: {error}"
    return "" if good else f"{name} is not what was recorded"
