"""Claims: an agent says what it is about to do in a run, and exactly one of those who say the same is granted it. The
others are told who has it, and get its result.

1. lock    the piece of work, in the database, for as long as the transaction lasts
2. look    for a claim of it that stands, under any name of the run
3. grant   where there is none, or its holder's time is over, or its result is older than is wanted

A grant is a row of its own. One whose holder was given up no longer stands, so what the holder brings late changes
nothing once another has begun; before that it is still welcome, and marked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from orchestration.handoffs.given import Free, Given, NotYours, Speaker, TooLate, agent_key, anybody
from orchestration.handoffs.models import STANDING, Claim, Holding
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.telemetry.redaction import redact_text
from orchestration.workflows.models import Run, Trace
from orchestration.workflows.run_search import find_run

USUAL_S, LEAST_S, MOST_S = 60.0, 1.0, 3600.0
PARTS = ("run", "key", "agent", "ttl_s", "fresh_s")
LOCK = "select pg_advisory_xact_lock(%s::int, hashtext(%s))"


@dataclass(frozen=True, slots=True)
class Wanted:
    run: str
    key: str
    agent: str
    ttl: timedelta
    fresh: timedelta | None = None  # an older result is no use

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.key.encode()).digest()


@dataclass(frozen=True, slots=True)
class Place:
    """The run that is meant: one name for it, and all that it goes by."""

    run_id: UUID | None
    ref: str
    names: Sequence[str]


def read(given: Any) -> Wanted:
    """Raises Wrong."""
    form = Given(given, PARTS, "A claim")
    names = {name: form.text(name, needed=True) for name in ("run", "key", "agent")}
    ttl = form.number("ttl_s", USUAL_S, LEAST_S, MOST_S) or USUAL_S
    fresh = form.number("fresh_s", None, 0, MOST_S * 24 * 30)
    form.checked()
    return Wanted(**names, ttl=timedelta(seconds=ttl), fresh=None if fresh is None else timedelta(seconds=fresh))


def place_of(workspace_id: int, run: str) -> Place:
    """A run that Baton does not know yet goes by what the caller calls it; later it may be known by more names."""
    run_id = find_run(workspace_id, run)
    if run_id is None:
        return Place(None, run, [run])
    found = Run.objects.filter(workspace_id=workspace_id, id=run_id).values_list("external_key", flat=True).first()
    traces = Trace.objects.filter(workspace_id=workspace_id, run_id=run_id).values_list("trace_id", flat=True)[:50]
    others = [found] if found else []
    return Place(run_id, str(run_id), [str(run_id), run, *others, *(bytes(each).hex() for each in traces)])


def claim(speaker: Speaker, given: Any, once: str = "", free: Free = anybody) -> tuple[Claim, bool]:
    """The claim that stands, and whether it was granted to who asks. The same `once` (idempotency key) is the same
    grant. Raises Wrong, NotYours, and what `free` does."""
    wanted = read(given)
    if not speaker.may(wanted.agent):
        raise NotYours(wanted.agent)
    free(speaker, wanted.agent, wanted.run)
    place = place_of(speaker.workspace_id, wanted.run)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [speaker.workspace_id % 2**31, wanted.digest.hex()])
        now = timezone.now()
        standing = _standing(speaker.workspace_id, place, wanted)
        if standing and not _over(standing, wanted, now):
            return _refused(standing, wanted, once)
        made = _grant(speaker, wanted, place, once, standing, now)
    publish(speaker.workspace_id, "run")
    return made, True


def _standing(workspace_id: int, place: Place, wanted: Wanted) -> Claim | None:
    """Locked: its holder may be bringing the result this very moment. They are one or two, and sorted here: asked for
    the first by time, PostgreSQL would rather look through all claims in the order of time."""
    found = Claim.objects.filter(workspace=workspace_id, digest=wanted.digest, ref__in=place.names, state__in=STANDING)
    return min(found.select_for_update(), key=lambda row: row.since, default=None)


def _over(row: Claim, wanted: Wanted, now: datetime) -> bool:
    if row.state == Holding.HELD:
        return row.until <= now
    if row.forgotten_at:
        return True
    return wanted.fresh is not None and (row.ended_at or row.since) < now - wanted.fresh


def _refused(row: Claim, wanted: Wanted, once: str) -> tuple[Claim, bool]:
    mine = bool(once) and row.once == once and agent_key(row.agent) == agent_key(wanted.agent)
    if mine:
        return row, row.state == Holding.HELD
    Claim.objects.filter(pk=row.pk).update(asked_again=F("asked_again") + 1)
    return row, False


def _grant(speaker: Speaker, wanted: Wanted, place: Place, once: str, before: Claim | None, now: datetime) -> Claim:
    if before:
        before.state = Holding.LOST if before.state == Holding.HELD else Holding.STALE
        before.ended_at = before.ended_at or now
        before.save(update_fields=["state", "ended_at"])
    made = Claim.objects.create(
        workspace_id=speaker.workspace_id,
        run=wanted.run,
        run_id=place.run_id,
        ref=place.ref,
        key=redact_text(wanted.key)[0],
        digest=wanted.digest,
        agent=wanted.agent,
        once=once,
        fence=before.fence + 1 if before else 1,
        since=now,
        until=now + wanted.ttl,
    )
    _note(made, "granted", now, {"instead_of": before.agent if before else None, "by_key": speaker.key_id})
    return made


def one(speaker: Speaker, claim_id: UUID) -> Claim:
    """Any agent of the workspace may look: whoever wanted the same waits for the result. Raises DoesNotExist."""
    return Claim.objects.get(workspace=speaker.workspace_id, pk=claim_id)


def finish(speaker: Speaker, claim_id: UUID, given: Any) -> Claim:
    """Its result, for everybody who wants the same. The same result twice is one. Raises Wrong, NotYours, TooLate."""
    form = Given(given, ("result",), "A result")
    if isinstance(given, dict) and "result" not in given:
        form.wrong("result", "missing", "This is needed; null where there is nothing to tell.")
    result = form.value("result")
    form.checked()
    with transaction.atomic():
        row, now = _locked(speaker, claim_id), timezone.now()
        if row.state == Holding.HELD:
            row.state, row.result, row.ended_at, row.late = Holding.DONE, result, now, row.until <= now
            row.save(update_fields=["state", "result", "ended_at", "late"])
            _note(row, "finished", now, {"late": row.late})
        elif row.state != Holding.DONE or row.result != result:
            Claim.objects.filter(pk=row.pk).update(refused_at=now)
        else:
            return row
    if row.state != Holding.DONE or row.result != result:
        raise TooLate(_why(row))
    publish(row.workspace_id, "run")
    return row


def release(speaker: Speaker, claim_id: UUID) -> Claim:
    """Given back undone: whoever wants it next is granted it. Raises NotYours, TooLate."""
    with transaction.atomic():
        row, now = _locked(speaker, claim_id), timezone.now()
        if row.state == Holding.HELD:
            row.state, row.ended_at = Holding.RELEASED, now
            row.save(update_fields=["state", "ended_at"])
            _note(row, "released", now, {})
        elif row.state != Holding.RELEASED:
            raise TooLate(_why(row))
    publish(row.workspace_id, "run")
    return row


def extend(speaker: Speaker, claim_id: UUID, given: Any, free: Free = anybody) -> Claim:
    """More time, from now on. Raises Wrong, NotYours, TooLate, and what `free` does."""
    form = Given({} if given is None else given, ("ttl_s",), "This")
    ttl = form.number("ttl_s", USUAL_S, LEAST_S, MOST_S) or USUAL_S
    form.checked()
    with transaction.atomic():
        row = _locked(speaker, claim_id)
        if row.state != Holding.HELD:
            raise TooLate(_why(row))
        free(speaker, row.agent, row.run)
        row.until = timezone.now() + timedelta(seconds=ttl)
        row.save(update_fields=["until"])
    return row


def _locked(speaker: Speaker, claim_id: UUID) -> Claim:
    row = Claim.objects.select_for_update().get(workspace=speaker.workspace_id, pk=claim_id)
    if not speaker.may(row.agent):
        raise NotYours(row.agent)
    return row


def _why(row: Claim) -> str:
    if row.state in (Holding.LOST, Holding.STALE):
        return "Your time was over and another agent was granted this work; what it brings counts."
    return f"This claim is {row.get_state_display().lower()} by now."


def _note(row: Claim, what: str, at: datetime, more: Mapping[str, Any]) -> None:
    told = {"run": row.run, "work": row.key, "agent": row.agent, "fence": row.fence, **more}
    entries.record(row.workspace_id, f"claim.{what}", ("claim", str(row.pk)), f"agent:{row.agent}", told, at)
