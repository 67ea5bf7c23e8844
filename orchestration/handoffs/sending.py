"""Handoffs on their way: sent once, accepted by one, ended once. Each step is a conditional change of one row with its
receipt in the same statement; the same idempotency key and body get the same handoff again, as it stands by then."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.handoffs import bounces, demands, envelope, parties, telling
from orchestration.handoffs.demands import Demanded
from orchestration.handoffs.envelope import Sent
from orchestration.handoffs.given import (
    MISSING,
    Fault,
    Free,
    Given,
    KeyUsed,
    NotYours,
    Speaker,
    TooLate,
    Wrong,
    anybody,
)
from orchestration.handoffs.models import Envelope, Passing
from orchestration.handoffs.parties import Pair
from orchestration.handoffs.sending_sql import COLUMNS, JSON, SEND, STEP
from orchestration.ledger import entries
from orchestration.ledger.entries import Draft
from orchestration.lib.pulse import publish
from orchestration.workflows.run_search import called

BATON = "baton:handoffs"
AT_ONCE = 200
TRIES = 5  # while others change the same
SILENT = timedelta(minutes=15)  # without a sign of life, until who has taken it is given up
LEAST_S, MOST_S = 1.0, 7 * 86_400.0
MOST_FENCE = 2**31 - 1
STEPS: Mapping[str, tuple[tuple[Passing, ...], Passing]] = {  # from where to where
    "accept": ((Passing.SENT,), Passing.ACCEPTED),
    "extend": ((Passing.ACCEPTED,), Passing.ACCEPTED),
    "reject": ((Passing.SENT, Passing.ACCEPTED), Passing.REJECTED),
    "complete": ((Passing.ACCEPTED,), Passing.COMPLETED),
}
_TAKES = ("accept", "extend")
_FIELDS = {
    "accept": ("ttl_s", "key"),
    "extend": ("ttl_s", "fence", "key"),
    "reject": ("reason", "fence", "key"),
    "complete": ("result", "fence", "key"),
}
LOST = "This handoff was taken back meanwhile, and may be in other hands: what you do for it counts no more."


def send(speaker: Speaker, given: Any, key: str, free: Free = anybody) -> Envelope:
    """Raises Wrong (and counts it), NotYours, KeyUsed, and what `free` does."""
    now = timezone.now()
    sent, found = envelope.read(given, now)
    if sent.sender and not speaker.may(sent.sender):
        raise NotYours(sent.sender)
    free(speaker, sent.sender, sent.run)
    digest, pair = digest_of(given), parties.between(speaker.workspace_id, sent.sender, sent.receiver)
    for _ in range(TRIES):
        demanded = demands.remembered(speaker.workspace_id, pair)
        lacks = found + demands.faults(sent, demanded)
        row = _before(speaker.workspace_id, pair, key) if lacks else None
        if lacks and row is None and demands.renewed(speaker.workspace_id, pair) == demanded:
            bounces.count(speaker.workspace_id, (sent.sender, sent.receiver), pair, lacks, now)
            raise Wrong(lacks)
        if not lacks:
            row = _store(speaker, sent, pair, (key, digest), demanded, now)
        if row is not None:
            return _same(row, digest)
        demands.renewed(speaker.workspace_id, pair)
    raise TooLate("What these agents need of each other changes too fast: send it again.")


def _store(
    speaker: Speaker, sent: Sent, pair: Pair, by: tuple[str, bytes], demanded: Demanded, now: datetime
) -> Envelope | None:
    """The new one, or the one that this key has sent before; None where the pair needs something else by now."""
    (sender, receiver), made, (key, digest) = pair, uuid7(), by
    words = hashlib.sha256(orjson.dumps(sent.body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    told = {"from": sent.sender, "to": sent.receiver, "run": sent.run, "version": envelope.VERSION}
    told |= {"key": speaker.key_id, "body_sha256": words}
    entry = _entry(speaker.workspace_id, made, "sent", f"agent:{sent.sender}", told, now)
    rows = SEND.rows(
        called(speaker.workspace_id, sent.run)
        | _named(entry)
        | {
            "senders": sender.keys,
            "receivers": receiver.keys,
            "sender": sent.sender,
            "sender_key": sender.key,
            "sender_app": sender.app,
            "receiver": sent.receiver,
            "receiver_key": receiver.key,
            "receiver_app": receiver.app,
            "key": key,
            "digest": digest,
            "made": made,
            "run": sent.run,
            "body": orjson.dumps(sent.body).decode(),
            "demand": demanded.row,
            "version": demanded.version or None,
            "now": now,
            "expires_at": sent.expires_at,
        }
    )
    if rows and rows[0][0] == made:
        publish(speaker.workspace_id, "run")
    return _row(rows[0]) if rows else None


def step(speaker: Speaker, handoff_id: UUID, name: str, given: Any, key: str, free: Free = anybody) -> Envelope:
    """Accept, extend, reject or complete it, by its receiver; once it was taken back only with the `fence` that its
    acceptance was answered with. Raises Wrong, KeyUsed, TooLate, Envelope.DoesNotExist, and what `free` does
    of who takes it, or more time for it."""
    form = Given({} if given is None else given, _FIELDS[name], "This")
    reason = form.prose("reason", needed=name == "reject") if name == "reject" else ""
    result = form.value("result") if name == "complete" else None
    ttl = form.number("ttl_s", None, LEAST_S, MOST_S) if name in _TAKES else None
    fence = form.number("fence", None, 0, MOST_FENCE) if name != "accept" else None
    form.checked()
    act = [key, digest_of(given).hex(), ttl]
    for _ in range(TRIES):
        row = one(speaker, handoff_id)
        if not speaker.may(row.receiver):
            raise NotYours(row.receiver)
        if name in _TAKES:
            free(speaker, row.receiver, row.run)
        if _done_before(row, name, act):
            return row
        if name != "accept":
            _check_fence(row, fence)
        moved = _moved(row, name, act, (reason, result))
        if moved is not None:
            publish(row.workspace_id, "run")
            return moved
    raise TooLate("This handoff changes too fast: look at it again.")


def one(speaker: Speaker, handoff_id: UUID) -> Envelope:
    """Of the workspace, and of an agent that the key speaks for. Raises Envelope.DoesNotExist."""
    row = Envelope.objects.get(workspace=speaker.workspace_id, pk=handoff_id)
    if not (speaker.may(row.sender) or speaker.may(row.receiver)):
        raise Envelope.DoesNotExist
    return row


def _check_fence(row: Envelope, fence: float | None) -> None:
    """Raises TooLate, Wrong."""
    if fence is None and row.returned and row.state == Passing.ACCEPTED:
        words = "This handoff was taken back once: say by which acceptance you have it, as its answer told."
        raise Wrong([Fault("fence", MISSING, words)])
    if fence is not None and fence != row.fence:
        raise TooLate(LOST, {"state": row.get_state_display().lower()})


def _done_before(row: Envelope, name: str, act: Sequence[Any]) -> bool:
    """Whether this very step has been taken. Raises KeyUsed."""
    before = row.acts.get(name)
    if not act[0] or not before or before[0] != act[0]:
        return False
    if before[1] != act[1]:
        raise KeyUsed
    return True


def _moved(row: Envelope, name: str, act: Sequence[Any], said: tuple[str, Any]) -> Envelope | None:
    """As `_move`; and where it goes back to its sender, that is told."""
    if name != "reject":
        return _move(row, name, act, said)
    with transaction.atomic():
        moved = _move(row, name, act, said)
        if moved is not None:
            telling.returned(moved, "rejected")
    return moved


def _move(row: Envelope, name: str, act: Sequence[Any], said: tuple[str, Any]) -> Envelope | None:
    """None where another one has changed it since it was read. Raises TooLate."""
    now, (sources, target) = timezone.now(), STEPS[name]
    if row.state not in sources or _over(row, now):
        state = Passing.EXPIRED.label if _over(row, now) else row.get_state_display()
        back = f" It was taken back: {row.problem['message']}" if row.problem else ""
        raise TooLate(f"This handoff is {state.lower()} by now.{back}", {"state": state.lower()})
    told = {"from": row.sender, "to": row.receiver, "run": row.run, "version": row.version}
    what = "extended" if name == "extend" else target.value
    entry = _entry(row.workspace_id, row.pk, what, f"agent:{row.receiver}", told, now)
    takes, (reason, result) = name in _TAKES, said
    rows = STEP.rows(
        _named(entry)
        | {
            "workspace": row.workspace_id,
            "id": row.pk,
            "was": row.state,
            "before": orjson.dumps(row.acts).decode(),
            "returned": row.returned,
            "state": target.value,
            "acts": orjson.dumps({**row.acts, name: act}).decode(),
            "accepted_at": now if name == "accept" else row.accepted_at,
            "fence": row.fence + (name == "accept"),
            "due_at": now + (timedelta(seconds=act[2]) if act[2] else SILENT) if takes else None,
            "ended_at": None if takes else now,
            "reason": reason,
            "result": None if result is None else orjson.dumps(result).decode(),
        }
    )
    return _row(rows[0]) if rows else None


def _row(fields: Sequence[Any]) -> Envelope:
    """JSON comes as text."""
    row = Envelope.from_db("default", COLUMNS, fields)
    for name in JSON:
        text = getattr(row, name)
        setattr(row, name, orjson.loads(text) if text is not None else None)
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
            row.state, row.ended_at = Passing.EXPIRED, now
            note(row, "expired", now, {})
            telling.returned(row, "expired")
    for workspace_id in {row.workspace_id for row in rows}:
        publish(workspace_id, "run")
    return len(rows)


def digest_of(given: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(given, option=orjson.OPT_SORT_KEYS)).digest()


def _before(workspace_id: int, pair: Pair, key: str) -> Envelope | None:
    if not key:
        return None
    found = Envelope.objects.filter(parties.is_("sender", pair[0]), workspace=workspace_id, key=key)
    return next(iter(found), None)  # one at most; `first` would ask for an order, and find a worse way to it


def _same(row: Envelope, digest: bytes) -> Envelope:
    if bytes(row.digest) != digest:
        raise KeyUsed
    return row


def note(row: Envelope, what: str, at: datetime, more: Mapping[str, Any]) -> None:
    """What Baton itself did with it, in the transaction that runs."""
    told = {"from": row.sender, "to": row.receiver, "run": row.run, "version": row.version, **more}
    entries.record_all([_entry(row.workspace_id, row.pk, what, BATON, told, at)])


def _entry(workspace_id: int, handoff_id: UUID, what: str, actor: str, told: Mapping[str, Any], at: datetime) -> Draft:
    return entries.draft(workspace_id, f"handoff.{what}", ("handoff", str(handoff_id)), actor, told, at)


def _named(entry: Draft) -> dict[str, Any]:
    return {f"entry_{name}": value for name, value in zip(entries.COLUMNS, entry.values, strict=True)}
