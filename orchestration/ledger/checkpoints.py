"""Signed heads, also written outside the database, so that a chain that was made anew as a whole is noticed."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from orchestration.ledger import chain, seals
from orchestration.lib.canonical import canonical

EVERY = timedelta(minutes=5)
EVERY_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint. `body` is what was signed: canonical JSON with size, root, head, time and key."""

    size: int
    root: bytes
    head: bytes
    at: datetime
    body: bytes
    signature: bytes
    public: bytes

    def stored(self) -> dict[str, Any]:
        """As JSON for a file or an answer."""
        return {
            "body": self.body.decode(),
            "signature": base64.b64encode(self.signature).decode(),
            "public_key": base64.b64encode(self.public).decode(),
        }

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Head:
        """Raises ValueError for what is no checkpoint. The signature is not checked here."""
        try:
            body = stored["body"].encode()
            told = orjson.loads(body)
            return cls(
                int(told["size"]),
                bytes.fromhex(told["root"]),
                bytes.fromhex(told["head"]),
                datetime.fromisoformat(told["at"]),
                body,
                base64.b64decode(stored["signature"], validate=True),
                base64.b64decode(stored["public_key"], validate=True),
            )
        except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
            raise ValueError(f"not a checkpoint: {error}") from None

    @property
    def is_signed(self) -> bool:
        return seals.is_signed(self.body, self.signature, self.public)


class Discontinued(Exception):
    """The chain is not a continuation of the newest head outside the database; the text says how."""


def sign_due() -> Head | None:
    """A new checkpoint when it is time for one. Raises Discontinued."""
    newest = latest()
    with connection.cursor() as cursor:
        size, _ = chain.last(cursor)
    grown = size - (newest.size if newest else 0)
    if not grown:
        return None
    if newest and grown < EVERY_ENTRIES and timezone.now() - newest.at < EVERY:
        return None
    return sign()


def sign() -> Head:
    """Sign the head as it is now, and write it outside the database. Raises Discontinued: what was cut off or made
    anew never gets a signature of its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [chain.LOCK])
        size, head = chain.last(cursor)
        if broken := discontinuity(cursor, size):
            raise Discontinued(broken)
        if found := of_size(size):
            _write(found)  # it may have been signed by who was killed before the file was written
            return found
        made = _signed(size, chain.hashed(0, size), head)
        cursor.execute(
            "insert into ledger_checkpoint (size, root, head, at, body, signature, key_id) "
            "values (%s, %s, %s, %s, %s, %s, %s)",
            [size, made.root, head, made.at, made.body.decode(), made.signature, seals.key_id()],
        )
    _write(made)
    return made


def _signed(size: int, root: bytes, head: bytes) -> Head:
    at = datetime.now(UTC)
    told: dict[str, Any] = {
        "ledger": "baton",
        "size": size,
        "root": root.hex(),
        "head": head.hex(),
        "at": at.isoformat(timespec="microseconds"),
        "key": seals.key_id(),
    }
    body = canonical(told)
    return Head(size, root, head, at, body, seals.sign(body), seals.public_key())


def discontinuity(cursor: Any, size: int) -> str:
    """In words; "" where the chain of `size` entries continues the newest head outside the database."""
    try:
        newest = max(folder().glob("*.json"), default=None)
        known = Head.of(orjson.loads(newest.read_bytes())) if newest else None
    except (OSError, ValueError) as error:
        return f"The newest head outside the database cannot be read: {error}."
    if known is None or not known.size:
        return ""
    if known.size > size:
        return f"The newest head outside the database covers {known.size:,} entries, and only {size:,} are left."
    cursor.execute("select head from ledger_link where seq = %s", [known.size])
    row = cursor.fetchone()
    if row and bytes(row[0]) == known.head:
        return ""
    return f"The newest head outside the database, over {known.size:,} entries, was signed over other ones than these."


def stopped() -> str:
    """Why nothing is signed any more, in words; "" when all is well."""
    with connection.cursor() as cursor:
        return discontinuity(cursor, chain.last(cursor)[0])


def latest() -> Head | None:
    return _read("order by size desc limit 1")


def of_size(size: int) -> Head | None:
    return _read("where size = %s", size)


def covering(seq: int) -> Head:
    """The newest checkpoint that covers the entry at `seq`; one is signed when there is none yet."""
    found = latest()
    return found if found and found.size >= seq else sign()


def _read(where: str, *params: Any) -> Head | None:
    with connection.cursor() as cursor:
        cursor.execute(f"select size, root, head, at, body, signature from ledger_checkpoint {where}", list(params))
        row = cursor.fetchone()
    if row is None:
        return None
    size, root, head, at, body, signature = row
    return Head(size, bytes(root), bytes(head), at, body.encode(), bytes(signature), seals.public_key())


def folder() -> Path:
    return Path(settings.LEDGER_CHECKPOINTS)


def written() -> list[Head]:
    """The checkpoints outside the database, smallest first. Raises ValueError for a file that is none."""
    return sorted((Head.of(orjson.loads(path.read_bytes())) for path in folder().glob("*.json")), key=lambda h: h.size)


def _write(head: Head) -> None:
    """Whole or not at all: a file that was begun is no checkpoint."""
    folder().mkdir(parents=True, exist_ok=True)
    path = folder() / f"{head.size:012d}.json"
    if path.exists():
        return
    begun = path.with_suffix(f".{os.getpid()}")
    begun.write_bytes(orjson.dumps(head.stored(), option=orjson.OPT_INDENT_2))
    os.replace(begun, path)
