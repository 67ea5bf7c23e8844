"""Keys of machines: made, shown once, turned, withdrawn and recognised. Only their SHA-256 is stored: what has 256
random bits needs no slow hash."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from orchestration.lib.names import speaks_for
from orchestration.workspaces.models import SCOPES, ApiKey, User, Workspace

PREFIX = "bat_"
SHOWN = len(PREFIX) + 6  # characters by which people tell keys apart
LENT_FOR = timedelta(minutes=2)

# For both kinds of connection: Django's and the doors' own. Columns in the order of `Bearer`.
LOOKUP = (
    "select k.id, k.workspace_id, w.slug, w.span_days, k.scopes, k.agents, k.spans_per_second, k.bytes_per_day, "
    "w.spans_per_second, w.bytes_per_day "
    "from workspaces_apikey k join workspaces_workspace w on w.id = k.workspace_id "
    "where k.digest = %s and k.revoked_at is null and (k.ends_at is null or k.ends_at > now())"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be sent; None: as much as comes."""

    spans_per_second: int | None = None
    bytes_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who presents a usable key, and what it may do."""

    key_id: int
    workspace_id: int
    workspace: str  # slug
    span_days: int
    scopes: frozenset[str]
    agents: frozenset[str]  # those it vouches for; empty: any
    limit: Limit
    together: Limit  # of all keys of the workspace

    def speaks_for(self, agent: str) -> bool:
        """Whether it may ask and answer as this agent, `name` or `application/name`."""
        return speaks_for(self.agents, agent)

    @classmethod
    def of(cls, row: Sequence[Any]) -> Bearer:
        key_id, workspace_id, slug, span_days, scopes, agents, rate, size, *both = row
        may = frozenset(scopes), frozenset(agents)
        return cls(key_id, workspace_id, slug, span_days, *may, Limit(rate, size), Limit(*both))


class KeyRefused(ValueError):
    """No such key can be made; the text says why."""


class MadeBefore(KeyRefused):
    """The form that asks has made its key already."""

    def __init__(self, key: ApiKey, plain: str) -> None:
        super().__init__("this form has made its key already")
        self.key = key
        self.plain = plain


def create_key(
    workspace: Workspace,
    name: str,
    scopes: Iterable[str],
    agents: Iterable[str] = (),
    created_by: User | None = None,
    *,
    once: str = "",
) -> tuple[ApiKey, str]:
    """A new key and its plain text, which nothing can show again.

    `once` names the form that asks (`plain_for`): asked twice, there is one key, and `MadeBefore` carries it.
    """
    wanted, vouches = list(dict.fromkeys(scopes)), list(dict.fromkeys(agents))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise KeyRefused(f"scopes are {', '.join(SCOPES)}; given: {', '.join(unknown) or 'none'}")
    if not 0 < len(name) <= 80 or any(len(agent) > 256 for agent in vouches):
        raise KeyRefused("a key's name has 1 to 80 characters, an agent's at most 256")
    plain = plain_for(once, created_by) if once and created_by else PREFIX + secrets.token_urlsafe(32)
    fields = {"name": name, "prefix": plain[:SHOWN], "scopes": wanted, "agents": vouches, "created_by": created_by}
    key, new = ApiKey.objects.get_or_create(digest=digest_of(plain), defaults=fields | {"workspace": workspace})
    if not new:
        raise MadeBefore(key, plain)
    return key, plain


def plain_for(once: str, person: User) -> str:
    """The key that this form makes for this person: the same however often it is sent, known to nobody without
    Baton's own secret. So a double press makes one key, and the second answer can still show it."""
    made = salted_hmac("baton.key", f"{person.pk}:{once}", algorithm="sha256").digest()
    return PREFIX + base64.urlsafe_b64encode(made).decode().rstrip("=")


@transaction.atomic
def rotate(
    key: ApiKey, created_by: User | None = None, *, overlap: timedelta | None = None, once: str = ""
) -> tuple[ApiKey, str]:
    """A second key like this one. Both work for `overlap` (None: until the old one is revoked), so that clients can
    change over."""
    new, plain = create_key(key.workspace, key.name, key.scopes, key.agents, created_by, once=once)
    ApiKey.objects.filter(pk=new.pk).update(spans_per_second=key.spans_per_second, bytes_per_day=key.bytes_per_day)
    new.refresh_from_db()
    if overlap is not None:
        end(key, timezone.now() + overlap)
    return new, plain


def end(key: ApiKey, at: datetime) -> bool:
    """Let a key stop by itself, and never later than it would have. False when it has stopped already."""
    sooner = Q(ends_at=None) | Q(ends_at__gt=at)
    return ApiKey.objects.usable().filter(sooner, pk=key.pk).update(ends_at=at) == 1


def revoke(key: ApiKey) -> bool:
    """Withdraw a key: refused within 5 seconds by every process. False when it already was."""
    return ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()) == 1


@transaction.atomic
def lend(workspace: Workspace, name: str, scope: str, person: User) -> str:
    """A key for a moment, by which Baton tries its own door like a stranger. Those lent before are taken away."""
    now = timezone.now()
    ApiKey.objects.filter(workspace=workspace, lent=True, ends_at__lt=now - timedelta(hours=1)).delete()
    key, plain = create_key(workspace, name, [scope], created_by=person)
    ApiKey.objects.filter(pk=key.pk).update(lent=True, ends_at=now + LENT_FOR)
    return plain


def digest_of(plain: str) -> bytes:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()


def limit(key: ApiKey, wanted: Limit) -> None:
    """What the key may send from now on; processes know within seconds."""
    ApiKey.objects.filter(pk=key.pk).update(**asdict(wanted))


def limit_together(workspace: Workspace, wanted: Limit) -> None:
    """The same for all keys of a workspace together."""
    Workspace.objects.filter(pk=workspace.pk).update(**asdict(wanted))


def find(plain: str) -> Bearer | None:
    """The bearer of a usable key, from the database."""
    with connection.cursor() as cursor:
        cursor.execute(LOOKUP, [digest_of(plain)])
        row = cursor.fetchone()
    return Bearer.of(row) if row else None
