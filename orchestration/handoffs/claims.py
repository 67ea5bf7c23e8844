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
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.handoffs.claims_sql import CLAIM, COLUMNS
from orchestration.handoffs.given import Free, Given, NotYours, Speaker, TooLate, anybody
from orchestration.handoffs.models import Claim, Holding
from orchestration.ledger import entries
from orchestration.ledger.entries import Draft
from orchestration.lib.names import same_agent
from orchestration.lib.pulse import publish
from orchestration.telemetry.redaction import redact_text
from orchestration.workflows.run_search import called

USUAL_S, LEAST_S, MOST_S = 60.0, 1.0, 3600.0
PARTS = ("run", "key", "agent", "ttl_s", "fresh_s")
TRIES = 5  # while others take the same over


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


def read(given: Any) -> Wanted:
    """Raises Wrong."""
    form = Given(given, PARTS, "A claim")
    names = {name: form.text(name, needed=True) for name in ("run", "key", "agent")}
    ttl = form.number("ttl_s", USUAL_S, LEAST_S, MOST_S) or USUAL_S
    fresh = form.number("fresh_s", None, 0, MOST_S * 24 * 30)
    form.checked()
    return Wanted(**names, ttl=timedelta(seconds=ttl), fresh=None if fresh is None else timedelta(seconds=fresh))


def claim(speaker: Speaker, given: Any, once: str = "", free: Free = anybody) -> tuple[Claim, bool]:
    """The claim that stands, and whether it was granted to who asks. The same `once` (idempotency key) is the same
    grant. Raises Wrong, NotYours, and what `free` does."""
    wanted = read(given)
    if not speaker.may(wanted.agent):
        raise NotYours(wanted.agent)
    free(speaker, wanted.agent, wanted.run)
    before: Claim | None = None
    for _ in range(TRIES):
        granted, over, row = _ask(speaker, wanted, once, before, timezone.now())
        if row is not None and not over:
            break
        before = row
    else:
        raise TooLate("This work changes hands too fast: ask again.")
    if not granted:
        mine = bool(once) and row.once == once and same_agent(row.agent, wanted.agent)
        return row, mine and row.state == Holding.HELD
    publish(speaker.workspace_id, "run")
    return row, True


def _ask(
    speaker: Speaker, wanted: Wanted, once: str, before: Claim | None, now: datetime
) -> tuple[bool, bool, Claim | None]:
    """Whether it was granted; whether the one that stands is over, and may be taken over as `before`; and that claim. A
    run that Baton does not know yet goes by what the caller calls it; later it may be known by more names."""
    made, key = uuid7(), redact_text(wanted.key)[0]
    told = {"run": wanted.run, "work": key, "agent": wanted.agent, "fence": before.fence + 1 if before else 1}
    told |= {"instead_of": before.agent if before else None, "by_key": speaker.key_id}
    entry = _draft(speaker.workspace_id, made, "granted", told, now)
    values = {
        **called(speaker.workspace_id, wanted.run),
        **{f"entry_{name}": value for name, value in zip(entries.COLUMNS, entry.values, strict=True)},
        "lock": speaker.workspace_id % 2**31,
        "hex": wanted.digest.hex(),
        "digest": wanted.digest,
        "run": wanted.run,
        "key": key,
        "agent": wanted.agent,
        "once": once,
        "made": made,
        "before": before.pk if before else None,
        "now": now,
        "until": now + wanted.ttl,
        "older": now - wanted.fresh if wanted.fresh is not None else None,
    }
    rows = CLAIM.rows(values)
    if not rows:
        return False, False, None
    granted, over, *fields = max(rows)
    return granted, over, _row(fields)


def _row(fields: list[Any]) -> Claim:
    row = Claim.from_db("default", COLUMNS, fields)
    row.result = orjson.loads(row.result) if row.result is not None else None
    return row


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
    entries.record_all([_draft(row.workspace_id, row.pk, what, told, at)])


def _draft(workspace_id: int, claim_id: UUID, what: str, told: Mapping[str, Any], at: datetime) -> Draft:
    actor = f"agent:{told['agent']}"
    return entries.draft(workspace_id, f"claim.{what}", ("claim", str(claim_id)), actor, told, at)
