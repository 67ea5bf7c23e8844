"""What was asked of people, and what they said in words, is forgotten when it is old. That somebody was asked stays,
with who, what kind of answer, by whom and when; its receipt has the hash of the words."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from orchestration.holds.models import Hold, State

SLICE = 5_000
ENDED = (State.APPLIED.value, State.EXPIRED.value, State.CANCELLED.value)
FORGET = """
update holds_hold set question = '', proposal = '', why = '', evidence = '[]', cost_of_waiting = '', note = '',
    amend = null, first = null, forgotten_at = now()
where id = any(array(select id from holds_hold where workspace_id = %s and state = any(%s) and forgotten_at is null
    and opened_at < %s and coalesce(applied_at, decided_at, opened_at) < %s limit %s))
"""


def forget_words(workspace_id: int, before: datetime) -> int:
    """Of questions that ended before then; one that waits still is kept however old it is. Returns how many."""
    total, done = 0, SLICE
    while done == SLICE:
        with connection.cursor() as cursor:
            cursor.execute(FORGET, [workspace_id, list(ENDED), before, before, SLICE])
            done = int(cursor.rowcount)
        total += done
    return total


def old_words(workspace_id: int, before: datetime) -> int:
    """How many would be forgotten."""
    ended = Hold.objects.filter(workspace=workspace_id, state__in=ENDED, forgotten_at=None, opened_at__lt=before)
    return ended.exclude(applied_at__gte=before).exclude(decided_at__gte=before).count()
