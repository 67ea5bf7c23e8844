"""Who is calling. Machines by `Authorization: Bearer <key>`; people who are logged in may read what pages show them.

A key that was recognised is remembered for `FRESH_S`, so one that was revoked is refused within 5 seconds everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from orchestration.api.pool import Connection, Unavailable, doors
from orchestration.api.refusals import Refused, unavailable
from orchestration.workspaces import keys
from orchestration.workspaces.current import Here, settle_in
from orchestration.workspaces.keys import PREFIX, Bearer
from orchestration.workspaces.models import Membership

FRESH_S = 3.0
UNKNOWN_FRESH_S = 0.5  # a key may be used right after it was made
REMEMBERED = 10_000

_known: dict[bytes, tuple[float, Bearer | None]] = {}
_used: set[int] = set()

_TOUCH = (
    "update workspaces_apikey set last_used_at = now() where id = any(%s) "
    "and (last_used_at is null or last_used_at < now() - interval '1 minute')"
)


def key_in(headers: Iterable[tuple[bytes, bytes]], query: bytes) -> str:
    """The key that a request presents. Exporters are told headers URL-encoded, and some send them so."""
    if PREFIX.encode() in query:
        raise _unauthorized("A key belongs in the Authorization header: addresses are written to logs.")
    given = next((value for name, value in headers if name == b"authorization"), b"").decode("latin-1").strip()
    scheme, _, key = (unquote(given) if "%20" in given[:10] else given).partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise _unauthorized("Send the header Authorization: Bearer <key>.")
    return key.strip()


def demand(bearer: Bearer | None, scope: str) -> Bearer:
    """The bearer, when it may do what `scope` stands for."""
    if bearer is None:
        raise _unauthorized("This key is unknown or was revoked.")
    if scope not in bearer.scopes:
        raise Refused(403, "forbidden", f"This key lacks the scope {scope}.")
    _used.add(bearer.key_id)
    return bearer


async def recognise(key: str, scope: str) -> Bearer:
    """The bearer of a key, for the doors. Raises Refused."""
    digest = keys.digest_of(key)
    remembered = _remembered(digest)
    if remembered is None:

        async def look(connection: Connection) -> Any:
            return await (await connection.execute(keys.LOOKUP, [digest])).fetchone()

        try:
            row = await doors.run(look)
        except Unavailable:
            raise unavailable() from None
        remembered = _remember(digest, Bearer.of(row) if row else None)
    return demand(remembered[1], scope)


def recognise_now(key: str, scope: str, *others: str) -> Bearer:
    """The same on Django's connection, for its views; with any of the scopes."""
    digest = keys.digest_of(key)
    bearer = (_remembered(digest) or _remember(digest, keys.find(key)))[1]
    fits = next((each for each in others if bearer and each in bearer.scopes and scope not in bearer.scopes), scope)
    return demand(bearer, fits)


async def flush() -> None:
    """Write which keys were used."""
    if not _used:
        return
    used = sorted(_used)

    async def touch(connection: Connection) -> None:
        await connection.execute(_TOUCH, [used])

    try:
        await doors.run(touch)
    except Unavailable:
        return
    _used.difference_update(used)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose data a request of the JSON API is about, and by what right: a key, or a person's membership."""

    workspace_id: int
    bearer: Bearer | None = None
    membership: Membership | None = None


class KeyAuth:
    """For routers: `request.auth` is then a `Caller`. With scope `read` GET is open to people who are logged in too.
    Of several scopes a key needs one."""

    def __init__(self, scope: str, *others: str) -> None:
        self.scope, self.others = scope, others

    def __call__(self, request: HttpRequest) -> Caller:
        given = request.headers.get("Authorization")
        if not given and self.scope == "read" and request.method == "GET" and request.user.is_authenticated:
            return _person(cast(Here, request))
        header = [(b"authorization", given.encode("latin-1", "replace"))] if given else []
        key = key_in(header, request.META.get("QUERY_STRING", "").encode())
        bearer = recognise_now(key, self.scope, *self.others)
        return Caller(bearer.workspace_id, bearer=bearer)


def _person(request: Here) -> Caller:
    try:
        settle_in(request)
    except PermissionDenied as error:
        raise Refused(403, "forbidden", str(error)) from error
    return Caller(request.workspace.pk, membership=request.membership)


def _remembered(digest: bytes) -> tuple[float, Bearer | None] | None:
    found = _known.get(digest)
    return found if found and found[0] > time.monotonic() else None


def _remember(digest: bytes, bearer: Bearer | None) -> tuple[float, Bearer | None]:
    if len(_known) >= REMEMBERED:
        _known.clear()
    found = time.monotonic() + (FRESH_S if bearer else UNKNOWN_FRESH_S), bearer
    _known[digest] = found
    return found


def _unauthorized(detail: str) -> Refused:
    return Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", detail)
