"""Entries, the chain over them, and its signed heads. Insert only: a trigger and missing grants forbid the rest."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Entry(models.Model):
    """What happened: canonical JSON (RFC 8785), written in the transaction of its cause. It holds no telemetry content,
    only names, numbers and hashes of what was seen, so that it may be kept for good."""

    id = models.UUIDField(primary_key=True)
    workspace = models.IntegerField(db_column="workspace_id")
    at = models.DateTimeField()
    kind = models.TextField(help_text="decision, verdict, policy.published, key.revoked …")
    subject_kind = models.TextField()
    subject_id = models.TextField()
    actor = models.TextField(help_text="agent:<name>, person:<user name> or baton")
    body = models.TextField(help_text="Canonical JSON of the whole entry")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of a zero byte and the body: its leaf (RFC 6962)")
    seal = models.BinaryField(max_length=32, help_text="HMAC of the digest, by a key that is not in the database")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "at"], name="entry_at"),
            models.Index(fields=["workspace", "subject_kind", "subject_id"], name="entry_subject"),
            models.Index(fields=["workspace", "kind", "-id"], name="entry_kind"),
            models.Index(fields=["workspace", "-id"], name="entry_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Link(models.Model):
    """An entry's place in the chain: `head` is the SHA-256 of the head before it and the entry's digest."""

    seq = models.BigIntegerField(primary_key=True)
    entry_id = models.UUIDField(unique=True)
    digest = models.BinaryField(max_length=32)
    head = models.BinaryField(max_length=32)
    linked_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.seq)


class Block(models.Model):
    """The root over 1,024 links, so that a proof need not read them. Derived: `verify` makes it anew."""

    number = models.IntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return str(self.number)


class Checkpoint(models.Model):
    """A signed head: how many entries there were, the root of the tree over them, the chain's head."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)
    head = models.BinaryField(max_length=32)
    at = models.DateTimeField()
    body = models.TextField(help_text="Canonical JSON of what is signed")
    signature = models.BinaryField(max_length=64)
    key_id = models.TextField()

    def __str__(self) -> str:
        return f"{self.size} entries"
