"""Counts handoffs that were sent back, by the day, the pair and what was at fault. A sender that makes names up fills
no table: past so many pairs a day they are counted together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from orchestration.handoffs.envelope import PARTS
from orchestration.handoffs.given import Fault
from orchestration.handoffs.models import Bounce
from orchestration.handoffs.parties import Pair

GIVEN_UP = ("silent", "late")  # who had taken it was given up
MOST_PAIRS = 500  # of one workspace and day
COUNT = """
insert into handoffs_bounce (workspace_id, day, sender_key, receiver_key, field, sender, receiver, n)
select %s, %s, %s, %s, unnest(%s::text[]), %s, %s, 1
on conflict (workspace_id, day, sender_key, receiver_key, field) do update set n = handoffs_bounce.n + 1
"""


def count(workspace_id: int, names: tuple[str, str], pair: Pair, faults: Iterable[Fault], now: datetime) -> None:
    """In one statement: whoever sends the same at the same time waits for it, and nothing is counted half."""
    day, (sender_key, receiver_key) = now.date(), (each.text for each in pair)
    today = Bounce.objects.filter(workspace=workspace_id, day=day, field="")
    known = today.filter(sender_key=sender_key, receiver_key=receiver_key).exists()
    if not (sender_key and receiver_key) or (not known and today.count() >= MOST_PAIRS):
        sender_key = receiver_key = ""
        names = ("", "")
    fields = ["", *sorted({_known(fault.field) for fault in faults})]
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [workspace_id, day, sender_key, receiver_key, fields, *names])


def _known(field: str) -> str:
    """Names of our own; a fact's is one that an admin wrote."""
    head = field.partition(".")[0]
    return field[:80] if head in (*PARTS, *GIVEN_UP) else "other"
