"""What agents told each other goes when it is old, as what people were asked does. Who handed to whom and when, and who
claimed what, goes with the runs."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from orchestration.handoffs.mess_models import Mess
from orchestration.handoffs.models import OPEN, Bounce, Claim, Envelope, Holding

SLICE = 5_000
WORDS = """
update handoffs_envelope set body = '{}', reason = '', result = null, forgotten_at = now()
where id = any(array(select id from handoffs_envelope where workspace_id = %s and forgotten_at is null
    and sent_at < %s and coalesce(ended_at, sent_at) < %s and state <> all(%s) limit %s))
"""
RESULTS = """
update handoffs_claim set result = null, key = '', forgotten_at = now()
where id = any(array(select id from handoffs_claim where workspace_id = %s and forgotten_at is null
    and since < %s and coalesce(ended_at, since) < %s and state <> all(%s) limit %s))
"""


def forget_words(workspace_id: int, before: datetime) -> int:
    """Of what has ended before then. Returns of how many."""
    held = [Holding.HELD.value]
    return _slices(WORDS, workspace_id, before, [each.value for each in OPEN]) + _slices(
        RESULTS, workspace_id, before, held
    )


def old_words(workspace_id: int, before: datetime) -> int:
    """Of how many handoffs and claims they would be forgotten."""
    old = Q(ended_at__lt=before) | Q(ended_at=None)
    sent = Envelope.objects.filter(old, workspace=workspace_id, forgotten_at=None, sent_at__lt=before)
    claimed = Claim.objects.filter(old, workspace=workspace_id, forgotten_at=None, since__lt=before)
    return sent.exclude(state__in=OPEN).count() + claimed.exclude(state=Holding.HELD).count()


def _slices(statement: str, workspace_id: int, before: datetime, spared: list[str]) -> int:
    total, done = 0, SLICE
    while done == SLICE:
        with connection.cursor() as cursor:
            cursor.execute(statement, [workspace_id, before, before, spared, SLICE])
            done = int(cursor.rowcount)
        total += done
    return total


def forget_rows(workspace_id: int, before: datetime) -> int:
    """All of it, however it ended; also what nobody ever took or finished."""
    envelopes = Envelope.objects.filter(workspace=workspace_id, sent_at__lt=before)
    claims = Claim.objects.filter(workspace=workspace_id, since__lt=before)
    bounces = Bounce.objects.filter(workspace=workspace_id, day__lt=before.date())
    counted = Mess.objects.filter(workspace_id=workspace_id, at__lt=before)
    # A claim that is in hand still is not old, whenever it began: its holder keeps extending it.
    claims = claims.exclude(state=Holding.HELD, until__gt=timezone.now())
    return sum(found.delete()[0] for found in (envelopes, claims, bounces, counted))
