"""Agents' own addresses: what one is asked to do goes there, and nowhere else. Under the rules of all webhooks; the
address is an endpoint that asks for no event, so that it is told nothing besides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.db import connection, transaction

from orchestration.outbox.models import Message, State
from orchestration.outbox.send import hasten

TELL = """
insert into outbox_message
    (id, workspace_id, endpoint_id, event, key, data, state, attempts, fence, due_at, created_at, error)
select gen_random_uuid(), e.workspace_id, e.id, %(event)s::text, %(event)s::text || ' ' || %(subject)s::text,
    %(data)s::jsonb, 'pending', 0, 0, now(), now(), ''
from outbox_endpoint e where e.workspace_id = %(workspace)s and e.agent_id > 0 and e.agent_id = any(%(agents)s)
on conflict do nothing
"""


def tell(workspace_id: int, agents: Collection[int], event: str, subject: str, data: Mapping[str, Any]) -> int:
    """Returns how many addresses these agents have; 0: none has one."""
    if not agents:
        return 0
    told: dict[str, Any] = {"workspace": workspace_id, "agents": list(agents), "event": event, "subject": subject}
    with connection.cursor() as cursor:
        cursor.execute(TELL, told | {"data": orjson.dumps(data, option=orjson.OPT_UTC_Z).decode()})
        found = int(cursor.rowcount)
    if found:
        transaction.on_commit(hasten)
    return found


def answers(workspace_id: int, key: str) -> list[dict[str, Any]] | None:
    """What was answered to the messages of one thing; None as long as one of them is on its way."""
    rows = Message.objects.filter(workspace_id=workspace_id, key=key).select_related("endpoint")
    found = []
    for row in rows:
        if row.state not in (State.DONE, State.DEAD):
            return None
        place = urlsplit(row.endpoint.url)
        found.append({"by": place.hostname or place.path, "status": row.status, "ms": row.took_ms, "error": row.error})
    return found
