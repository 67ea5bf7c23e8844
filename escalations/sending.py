"""Sends the notices that are due: claimed by a lease, sent outside of any transaction, finished only by whoever still
holds the lease. Tried again for about a day as all of Baton's messages are, then given up, which the person sees."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from django.core.mail import EmailMessage
from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from escalations import notices
from escalations.models import Channel, Notice, Telling
from orchestration.outbox import webhooks
from orchestration.outbox.sweep import pause_after
from orchestration.outbox.webhooks import Outcome

AT_ONCE, LEASE = 10, "60 seconds"
BUDGET_S = 8.0
EVENT = "inbox.notice"
_CLAIM = (
    "with due as materialized ({}) update escalations_notice n set attempts = n.attempts + 1, "
    f"due_at = statement_timestamp() + interval '{LEASE}' from due where n.id = due.id returning n.id, n.attempts"
)
_DUE = (
    "select id from escalations_notice where sent_at is null and dead_at is null and due_at <= statement_timestamp() "
    f"order by due_at limit {AT_ONCE} for update skip locked"
)
_ONE = (
    "select id from escalations_notice where id = %s and sent_at is null and dead_at is null and attempts = 0 "
    "for update skip locked"
)


@dataclass(frozen=True, slots=True)
class ChatLetter(webhooks.Letter):
    """With the words on top too, where chat tools look for them."""

    @property
    def body(self) -> bytes:
        return orjson.dumps({**orjson.loads(webhooks.Letter.body.fget(self)), "text": self.data["text"]})  # type: ignore[attr-defined]


def deliver() -> int:
    """Whatever is due; returns how many were tried."""
    tried, until = 0, time.monotonic() + BUDGET_S
    while time.monotonic() < until:
        claimed = _claim(_DUE, [])
        for pk, attempts in claimed:
            _send(pk, attempts)
        tried += len(claimed)
        if len(claimed) < AT_ONCE:
            break
    return tried


def deliver_one(notice: Notice) -> None:
    """One that was just made, now."""
    for pk, attempts in _claim(_ONE, [notice.pk]):
        _send(pk, attempts)
    notice.refresh_from_db()


def retry(workspace_id: int, person_id: int) -> int:
    """What was given up, once more."""
    dead = Notice.objects.filter(workspace_id=workspace_id, person_id=person_id, dead_at__isnull=False)
    return dead.update(dead_at=None, attempts=0, due_at=timezone.now())


def signing_key(telling: Telling) -> bytes:
    """Made of the salt that is stored and of Baton's own secret, and stored nowhere."""
    return salted_hmac("baton.telling", bytes(telling.secret or b"").hex(), algorithm="sha256").digest()


def _claim(due: str, values: Sequence[UUID]) -> list[tuple[UUID, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM.format(due), list(values))
        return [(row[0], row[1]) for row in cursor.fetchall()]


def _send(pk: UUID, attempts: int) -> None:
    notice = Notice.objects.select_related("person").get(pk=pk)
    letter = notices.written(notice)
    if letter is None:
        _finish(notice, attempts, {"sent_at": timezone.now(), "error": "All of it was decided meanwhile"})
        return
    post = _mailed if notice.channel == Channel.MAIL else _hooked
    outcome = post(notice, letter)
    told = {"subject": letter.subject, "body": letter.body}
    _finish(notice, attempts, _fate(outcome, attempts, timezone.now()) | (told if outcome.ok else {}))


def _fate(outcome: Outcome, attempts: int, now: datetime) -> dict[str, object]:
    if outcome.ok:
        return {"sent_at": now, "error": ""}
    pause = pause_after(attempts, outcome.again_s)
    return {"error": outcome.error[:200]} | ({"due_at": now + pause} if pause else {"dead_at": now})


def _finish(notice: Notice, attempts: int, fields: dict[str, object]) -> None:
    Notice.objects.filter(pk=notice.pk, attempts=attempts, sent_at=None, dead_at=None).update(**fields)


def _mailed(notice: Notice, letter: notices.Letter) -> Outcome:
    """The same Message-ID at every try, so that a mail server which had taken it knows it again."""
    if not (notices.mails() and notice.person.email):
        return Outcome(None, "No mail server is configured, or this person has no address.")
    message = EmailMessage(
        letter.subject, letter.body, to=[notice.person.email], headers={"Message-ID": f"<{notice.pk.hex}@baton>"}
    )
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(None, f"The mail server did not take it ({type(error).__name__}).")
    return Outcome(200)


def _hooked(notice: Notice, letter: notices.Letter) -> Outcome:
    telling = Telling.objects.filter(workspace_id=notice.workspace_id, person_id=notice.person_id).first()
    if telling is None or not telling.hook:
        return Outcome(None, "This person has no webhook any more.")
    data = {"text": letter.body, "counts": letter.counts, "url": notices.link("escalations:inbox")}
    made = ChatLetter(notice.pk, EVENT, timezone.now(), data)
    return webhooks.post(telling.hook, [signing_key(telling)], made)
