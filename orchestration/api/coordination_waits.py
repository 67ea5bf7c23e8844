"""What those who wait at the door of handoffs and claims wait for, each looked up for all of them at once."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from orchestration.api.pool import Connection

_HANDED = """
select distinct e.workspace_id, e.receiver_key from handoffs_envelope e
join unnest(%s::bigint[], %s::text[]) w(workspace_id, receiver_key)
    on e.workspace_id = w.workspace_id and e.receiver_key = w.receiver_key
where e.state = 'sent' and (e.expires_at is null or e.expires_at > now())
"""
_OVER = "select id from handoffs_claim where id = any(%s) and (state <> 'held' or until <= now())"


async def handed(connection: Connection, receivers: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Agents (workspace, name as it is compared) for whom something waits."""
    wanted = [[workspace for workspace, _ in receivers], [name for _, name in receivers]]
    found = await (await connection.execute(_HANDED, wanted)).fetchall()
    return {(workspace, name) for workspace, name in found}


async def claims_over(connection: Connection, claims: Collection[UUID]) -> set[UUID]:
    """Claims that nobody has in hand any more."""
    return {row[0] for row in await (await connection.execute(_OVER, [list(claims)])).fetchall()}
