"""What those who wait at the door of handoffs and claims wait for, each looked up for all of them at once."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from orchestration.api.pool import Connection
from orchestration.handoffs.parties import Party

_HANDED = """
select distinct e.workspace_id, e.receiver_key, w.app from handoffs_envelope e
join unnest(%s::bigint[], %s::text[], %s::text[]) w(workspace_id, receiver_key, app)
    on e.workspace_id = w.workspace_id and e.receiver_key = w.receiver_key
    and (w.app = '' or e.receiver_app in ('', w.app))
where e.state = 'sent' and (e.expires_at is null or e.expires_at > now())
"""
_OVER = "select id from handoffs_claim where id = any(%s) and (state <> 'held' or until <= now())"


Receiver = tuple[int, Party]  # and its workspace


async def handed(connection: Connection, receivers: Collection[Receiver]) -> set[Receiver]:
    """Agents for whom something waits."""
    spaces, parties = [space for space, _ in receivers], [party for _, party in receivers]
    wanted = [spaces, [each.key for each in parties], [each.app for each in parties]]
    found = await (await connection.execute(_HANDED, wanted)).fetchall()
    return {(space, Party(key, app)) for space, key, app in found}


async def claims_over(connection: Connection, claims: Collection[UUID]) -> set[UUID]:
    """Claims that nobody has in hand any more."""
    return {row[0] for row in await (await connection.execute(_OVER, [list(claims)])).fetchall()}
