"""Makes messages, in the transaction of their cause. Where nobody asked to be told of an event, nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.db import connection, transaction

from orchestration.lib.nudge import Nudge
from orchestration.outbox.models import TEST, Endpoint, Message

_nudge = Nudge("orchestration.outbox.tasks.deliver", expires_s=5.0)
hasten = _nudge.want  # says that there is something to send

# For both kinds of connection: Django's and the doors' own.
ANNOUNCE = """
insert into outbox_message
    (id, workspace_id, endpoint_id, event, key, data, state, attempts, fence, due_at, created_at, error)
select gen_random_uuid(), e.workspace_id, e.id, %(event)s::text, %(event)s::text || ' ' || %(subject)s::text,
    %(data)s::jsonb, 'pending', 0, 0, now(), now(), ''
from outbox_endpoint e where e.workspace_id = %(workspace)s and e.events @> array[%(event)s::varchar]
on conflict do nothing
"""
ANNOUNCE_ALL = """
insert into outbox_message
    (id, workspace_id, endpoint_id, event, key, data, state, attempts, fence, due_at, created_at, error)
select gen_random_uuid(), e.workspace_id, e.id, %(event)s::text, %(event)s::text || ' ' || t.subject,
    t.data, 'pending', 0, 0, now(), now(), ''
from outbox_endpoint e, unnest(%(subjects)s::text[], %(data)s::jsonb[]) as t(subject, data)
where e.workspace_id = %(workspace)s and e.events @> array[%(event)s::varchar]
on conflict do nothing
"""


def announce(workspace_id: int, event: str, subject: str, data: Mapping[str, Any]) -> int:
    """Tell whoever asked to be told. `subject` names what it happened to: the same event of it is told once. Returns
    how many endpoints will hear of it."""
    with connection.cursor() as cursor:
        told: dict[str, str | int] = {"workspace": workspace_id, "event": event, "subject": subject}
        cursor.execute(ANNOUNCE, told | {"data": orjson.dumps(data, option=orjson.OPT_UTC_Z).decode()})
        found = int(cursor.rowcount)
    if found:
        transaction.on_commit(hasten)
    return found


def listeners(workspace_id: int, event: str) -> int:
    """How many endpoints are told of such an event."""
    return Endpoint.objects.filter(workspace_id=workspace_id, events__contains=[event]).count()


def announce_all(workspace_id: int, event: str, told: Mapping[str, Mapping[str, Any]]) -> int:
    """The same event of many subjects, each with what is said of it. Returns how many messages were made."""
    data = [orjson.dumps(each, option=orjson.OPT_UTC_Z).decode() for each in told.values()]
    values: dict[str, int | str | list[str]] = {"workspace": workspace_id, "event": event, "subjects": list(told)}
    with connection.cursor() as cursor:
        cursor.execute(ANNOUNCE_ALL, values | {"data": data})
        found = int(cursor.rowcount)
    if found:
        transaction.on_commit(hasten)
    return found


def to(endpoint: Endpoint, event: str, subject: str, data: Mapping[str, Any]) -> None:
    """To this one, whatever it asked to be told of; the same event of the same subject goes once."""
    plain = orjson.loads(orjson.dumps(data, option=orjson.OPT_UTC_Z))
    values = {"workspace_id": endpoint.workspace_id, "event": event, "data": plain}
    Message.objects.get_or_create(endpoint=endpoint, key=f"{event} {subject}", defaults=values)
    transaction.on_commit(hasten)


def trial(endpoint: Endpoint, once: str) -> Message:
    """A message by which an endpoint is tried; the same `once` is the same message."""
    data = {"words": "Baton can reach this endpoint."}
    return Message.objects.get_or_create(
        endpoint=endpoint,
        key=f"{TEST} {once}",
        defaults={"workspace_id": endpoint.workspace_id, "event": TEST, "data": data},
    )[0]
