"""Handoffs on their way: sent once, accepted by one, ended once. Each step is a conditional change of one row with its
receipt in the same transaction; the same idempotency key and body get the same handoff again, as it stands by then."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestration.handoffs import bounces, demands, envelope
from orchestration.handoffs.demands import Demanded
from orchestration.handoffs.envelope import Sent
from orchestration.handoffs.given import Free, Given, KeyUsed, NotYours, Speaker, TooLate, Wrong, anybody
from orchestration.handoffs.models import Envelope, Passing
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.workflows.run_search import find_run

BATON = "baton:handoffs"
AT_ONCE = 200
STEPS: Mapping[str, tuple[tuple[Passing, ...], Passing]] = {  # from where to where
    "accept": ((Passing.SENT,), Passing.ACCEPTED),
    "reject": ((Passing.SENT, Passing.ACCEPTED), Passing.REJECTED),
    "complete": ((Passing.ACCEPTED,), Passing.COMPLETED),
}


def send(speaker: Speaker, given: Any, key: str, free: Free = anybody) -> Envelope:
    """Raises Wrong (and counts it), NotYours, KeyUsed, and what `free` does."""
    now = timezone.now()
    sent, found = envelope.read(given, now)
    if sent.sender and not speaker.may(sent.sender):
        raise NotYours(sent.sender)
    free(speaker, sent.sender, sent.run)
    digest = digest_of(given)
    before = _before(speaker.workspace_id, sent, key)
    if before:
        return _same(before, digest)
    demanded = Demanded.of(demands.row_of(speaker.workspace_id, sent.pair))
    found += demands.faults(sent, demanded)
    if found:
        bounces.count(speaker.workspace_id, sent, found, now)
        raise Wrong(found)
    try:
        with transaction.atomic():
            made = _store(speaker, sent, key, digest, demanded, now)
    except IntegrityError:
        return _same(Envelope.objects.get(workspace=speaker.workspace_id, sender_key=sent.pair[0], key=key), digest)
    publish(speaker.workspace_id, "run")
    return made


def _store(speaker: Speaker, sent: Sent, key: str, digest: bytes, demanded: Demanded, now: datetime) -> Envelope:
    made = Envelope.objects.create(
        workspace_id=speaker.workspace_id,
        key=key,
        digest=digest,
        run=sent.run,
        run_id=find_run(speaker.workspace_id, sent.run),
        sender=sent.sender,
        sender_key=sent.pair[0],
        receiver=sent.receiver,
        receiver_key=sent.pair[1],
        body=sent.body,
        demands=demanded.version or None,
        sent_at=now,
        expires_at=sent.expires_at,
    )
    words = hashlib.sha256(orjson.dumps(sent.body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    _note(made, "sent", f"agent:{sent.sender}", now, {"key": speaker.key_id, "body_sha256": words})
    return made


def step(speaker: Speaker, handoff_id: UUID, name: str, given: Any, key: str, free: Free = anybody) -> Envelope:
    """Accept, reject or complete it, by its receiver. Raises Wrong, KeyUsed, TooLate, Envelope.DoesNotExist, and what
    `free` does of who accepts."""
    form = Given({} if given is None else given, _FIELDS[name], "This")
    reason = form.prose("reason", needed=name == "reject") if name == "reject" else ""
    result = form.value("result") if name == "complete" else None
    form.checked()
    row = one(speaker, handoff_id)
    if not speaker.may(row.receiver):
        raise NotYours(row.receiver)
    if name == "accept":
        free(speaker, row.receiver, row.run)
    act = [key, digest_of(given).hex()]
    if _done_before(row, name, act):
        return row
    return _move(row, name, act, {"reason": reason, "result": result})


_FIELDS = {"accept": ("key",), "reject": ("reason", "key"), "complete": ("result", "key")}


def one(speaker: Speaker, handoff_id: UUID) -> Envelope:
    """Of the workspace, and of an agent that the key speaks for. Raises Envelope.DoesNotExist."""
    row = Envelope.objects.get(workspace=speaker.workspace_id, pk=handoff_id)
    if not (speaker.may(row.sender) or speaker.may(row.receiver)):
        raise Envelope.DoesNotExist
    return row


def _done_before(row: Envelope, name: str, act: list[str]) -> bool:
    """Whether this very step has been taken. Raises KeyUsed."""
    before = row.acts.get(name)
    if not act[0] or not before or before[0] != act[0]:
        return False
    if before[1] != act[1]:
        raise KeyUsed
    return True


def _move(row: Envelope, name: str, act: list[str], said: Mapping[str, Any]) -> Envelope:
    now = timezone.now()
    sources, target = STEPS[name]
    with transaction.atomic():
        # The row is locked, so that of two at once the second sees what the first has made of it.
        row = Envelope.objects.select_for_update().get(pk=row.pk)
        if _done_before(row, name, act):
            return row
        if row.state in sources and not _over(row, now):
            row.state = target
            row.acts = {**row.acts, name: act}
            row.accepted_at = now if name == "accept" else row.accepted_at
            row.ended_at = None if name == "accept" else now
            row.reason, row.result = said["reason"], said["result"]
            row.save(update_fields=["state", "acts", "accepted_at", "ended_at", "reason", "result"])
            _note(row, target, f"agent:{row.receiver}", now, {})
        else:
            state = Passing.EXPIRED.label if _over(row, now) else row.get_state_display()
            raise TooLate(f"This handoff is {state.lower()} by now.", {"state": state.lower()})
    publish(row.workspace_id, "run")
    return row


def _over(row: Envelope, now: datetime) -> bool:
    return row.state == Passing.SENT and row.expires_at is not None and row.expires_at <= now


def expire_due() -> int:
    """What nobody took in time has expired, once, with a receipt. Returns how many."""
    now = timezone.now()
    with transaction.atomic():
        due = Envelope.objects.select_for_update(skip_locked=True).filter(state=Passing.SENT, expires_at__lte=now)
        rows = list(due.order_by("expires_at")[:AT_ONCE])
        Envelope.objects.filter(pk__in=[row.pk for row in rows]).update(state=Passing.EXPIRED, ended_at=now)
        for row in rows:
            _note(row, "expired", BATON, now, {})
    for workspace_id in {row.workspace_id for row in rows}:
        publish(workspace_id, "run")
    return len(rows)


def digest_of(given: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(given, option=orjson.OPT_SORT_KEYS)).digest()


def _before(workspace_id: int, sent: Sent, key: str) -> Envelope | None:
    if not key:
        return None
    found = Envelope.objects.filter(workspace=workspace_id, sender_key=sent.pair[0], key=key)
    return next(iter(found), None)  # one at most; `first` would ask for an order, and find a worse way to it


def _same(row: Envelope, digest: bytes) -> Envelope:
    if bytes(row.digest) != digest:
        raise KeyUsed
    return row


def _note(row: Envelope, what: str, actor: str, at: datetime, more: Mapping[str, Any]) -> None:
    told = {"from": row.sender, "to": row.receiver, "run": row.run, "version": row.version, **more}
    entries.record(row.workspace_id, f"handoff.{what}", ("handoff", str(row.pk)), actor, told, at)
