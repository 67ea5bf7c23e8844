"""Keys of machines: made, shown once, turned, withdrawn and recognised. Only their SHA-256 is stored: what has 256
random bits needs no slow hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from orchestration.workspaces.models import SCOPES, ApiKey, User, Workspace

PREFIX = "bat_"
SHOWN = len(PREFIX) + 6  # characters by which people tell keys apart

# For both kinds of connection: Django's and the doors' own. Columns in the order of `Bearer`.
LOOKUP = (
    "select k.id, k.workspace_id, w.slug, w.span_days, k.scopes, k.agents, k.spans_per_second, k.bytes_per_day "
    "from workspaces_apikey k join workspaces_workspace w on w.id = k.workspace_id "
    "where k.digest = %s and k.revoked_at is null"
)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who presents a usable key, and what it may do."""

    key_id: int
    workspace_id: int
    workspace: str  # slug
    span_days: int
    scopes: frozenset[str]
    agents: frozenset[str]  # those it vouches for; empty: any
    spans_per_second: int | None
    bytes_per_day: int | None

    @classmethod
    def of(cls, row: Sequence[Any]) -> Bearer:
        key_id, workspace_id, slug, span_days, scopes, agents, rate, size = row
        return cls(key_id, workspace_id, slug, span_days, frozenset(scopes), frozenset(agents), rate, size)


class KeyRefused(ValueError):
    """No such key can be made; the text says why."""


def create_key(
    workspace: Workspace,
    name: str,
    scopes: Iterable[str],
    agents: Iterable[str] = (),
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its plain text, which nothing can show again."""
    wanted, vouches = list(dict.fromkeys(scopes)), list(dict.fromkeys(agents))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise KeyRefused(f"scopes are {', '.join(SCOPES)}; given: {', '.join(unknown) or 'none'}")
    if not 0 < len(name) <= 80 or any(len(agent) > 256 for agent in vouches):
        raise KeyRefused("a key's name has 1 to 80 characters, an agent's at most 256")
    plain = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        workspace=workspace,
        name=name,
        prefix=plain[:SHOWN],
        digest=digest_of(plain),
        scopes=wanted,
        agents=vouches,
        created_by=created_by,
    )
    return key, plain


def rotate(key: ApiKey, created_by: User | None = None) -> tuple[ApiKey, str]:
    """A second key like this one. Both work until the old one is revoked, so that clients can change over."""
    new, plain = create_key(key.workspace, key.name, key.scopes, key.agents, created_by)
    ApiKey.objects.filter(pk=new.pk).update(spans_per_second=key.spans_per_second, bytes_per_day=key.bytes_per_day)
    new.refresh_from_db()
    return new, plain


def revoke(key: ApiKey) -> bool:
    """Withdraw a key: refused within 5 seconds by every process. False when it already was."""
    return ApiKey.objects.usable().filter(pk=key.pk).update(revoked_at=timezone.now()) == 1


def digest_of(plain: str) -> bytes:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()


def find(plain: str) -> Bearer | None:
    """The bearer of a usable key, from the database."""
    with connection.cursor() as cursor:
        cursor.execute(LOOKUP, [digest_of(plain)])
        row = cursor.fetchone()
    return Bearer.of(row) if row else None
