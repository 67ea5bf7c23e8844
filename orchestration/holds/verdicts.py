"""What happens to a hold: decided by a person, taken back, applied, run out. Each is a conditional change of one row
(the state it was in, the revision that was looked at), so that of two who press at once one wins and the other is told.

A verdict is kept back for ten seconds, as a row with `apply_at`: until then it may be undone, and agents see the hold
as open. What has to be true at the same time happens in the same transaction: the decision's verdict, what rules look
back on, the ledger entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from orchestration.holds.models import Answered, Hold, State
from orchestration.holds.told import told
from orchestration.ledger import entries
from orchestration.lib.pulse import publish
from orchestration.outbox import send
from orchestration.outbox.models import Event
from orchestration.workspaces.models import User

UNDO = timedelta(seconds=10)
MOST = 500  # in one sweep
BY_BATON = "baton"


class TooLate(Exception):
    """The hold is no longer what it was when it was looked at. `hold`: as it is now."""

    def __init__(self, hold: Hold) -> None:
        self.hold = hold
        who = hold.reviewer.get_username() if hold.reviewer else BY_BATON
        super().__init__(f"{hold.get_state_display()} by {who}" if hold.verdict else hold.get_state_display())


class Unreasoned(ValueError):
    """A verdict that needs a word with it. `field` says which."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Verdict:
    answer: Answered
    note: str = ""
    amend: Mapping[str, Any] | None = None

    def checked(self) -> Verdict:
        if self.answer in (Answered.REJECT, Answered.MORE) and not self.note.strip():
            raise Unreasoned("note", "Say why: the agent and the next reviewer read it.")
        if self.answer == Answered.AMEND and not self.amend:
            raise Unreasoned("amend", "Say what is changed.")
        return self


def decide(hold: Hold, verdict: Verdict, by: User, *, revision: int) -> Hold:
    """Raises TooLate when somebody was first, Unreasoned. The same verdict of the same person again changes nothing.

    Where two people have to approve, the first one's word is kept and the hold stays open; one person's no is enough.
    """
    verdict = verdict.checked()
    now = timezone.now()
    with transaction.atomic():
        if hold.people > 1 and verdict.answer in (Answered.APPROVE, Answered.AMEND):
            half = _first_of_two(hold, verdict, by, revision, now)
            if half is not None:
                return half
        won = Hold.objects.filter(pk=hold.pk, state=State.OPEN, revision=revision).update(
            state=State.DECIDED,
            revision=F("revision") + 1,
            verdict=verdict.answer,
            note=verdict.note.strip()[:2000],
            amend=dict(verdict.amend) if verdict.amend else None,
            reviewer=by,
            decided_at=now,
            apply_at=_apply_at(hold, now),
        )
        found = Hold.objects.select_related("reviewer").get(pk=hold.pk)
        if not won:
            if found.verdict == verdict.answer and found.reviewer_id == by.pk:
                return found
            raise TooLate(found)
        _note(found, "verdict", by.get_username(), now)
        _show(found)
    return found


def _first_of_two(hold: Hold, verdict: Verdict, by: User, revision: int, now: datetime) -> Hold | None:
    """The hold as it stays open, with the first word kept; None when this is the second word and says the same."""
    found = Hold.objects.select_for_update(of=("self",)).select_related("reviewer").get(pk=hold.pk)
    if found.state != State.OPEN:
        return None
    said = {"by": by.pk, "answer": str(verdict.answer), "amend": dict(verdict.amend) if verdict.amend else None}
    if found.first is None:
        if found.revision != revision:
            raise TooLate(found)
        Hold.objects.filter(pk=hold.pk).update(first=said, revision=F("revision") + 1)
        found.refresh_from_db()
        _note(found, "verdict.first", by.get_username(), now)
        _show(found)
        return found
    if found.first["by"] == by.pk:
        return found
    if {**found.first, "by": by.pk} != said:
        raise Unreasoned("note", "Another person has said something else: agree on one answer, or reject.")
    return None


def undo(hold: Hold, by: User) -> Hold:
    """Within ten seconds, by whoever decided. The database's clock alone says whether they are over, since by it the
    verdict is applied."""
    now = timezone.now()
    with transaction.atomic():
        undone = Hold.objects.filter(pk=hold.pk, state=State.DECIDED, reviewer=by, apply_at__gt=Now()).update(
            state=State.OPEN,
            revision=F("revision") + 1,
            verdict="",
            note="",
            amend=None,
            reviewer=None,
            decided_at=None,
            apply_at=None,
        )
        found = Hold.objects.select_related("reviewer").get(pk=hold.pk)
        if not undone:
            raise TooLate(found)
        _note(found, "verdict.undone", by.get_username(), now)
        _show(found)
    return found


def apply_due() -> int:
    """The sweep: verdicts whose ten seconds are over take effect. Returns how many; may run twice."""
    return _sweep("state = 'decided' and apply_at <= now()", _apply)


def expire_due() -> int:
    """Holds that nobody answered in time and whose policy says that this means no. Others go on waiting: silence is no
    consent, and reminding is somebody else's."""
    return _sweep("state = 'open' and due_at <= now() and on_timeout = 'reject'", _expire)


def _sweep(where: str, one: Any) -> int:
    done = 0
    for _ in range(MOST):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"select id from holds_hold where {where} order by id limit 1 for update skip locked")
            row = cursor.fetchone()
            if row is None:
                return done
            one(Hold.objects.select_related("reviewer").get(pk=row[0]), timezone.now())
            done += 1
    return done


def _apply(hold: Hold, now: datetime) -> None:
    Hold.objects.filter(pk=hold.pk).update(state=State.APPLIED, revision=F("revision") + 1, applied_at=now)
    who = hold.reviewer.get_username() if hold.reviewer else BY_BATON
    minutes = (hold.decided_at - hold.opened_at).total_seconds() / 60 if hold.decided_at else None
    _tell_decision(hold.workspace_id, hold.decision_id, hold.verdict, who, minutes)
    _tell_agents(hold, Event.HOLD_APPLIED)


def _expire(hold: Hold, now: datetime) -> None:
    Hold.objects.filter(pk=hold.pk).update(
        state=State.EXPIRED,
        revision=F("revision") + 1,
        verdict=Answered.REJECT,
        note="Nobody answered in time, and the policy says that this means no.",
        decided_at=now,
        applied_at=now,
    )
    hold.verdict, hold.note = Answered.REJECT, "nobody answered in time"
    _note(hold, "hold.expired", "", now)
    _tell_decision(hold.workspace_id, hold.decision_id, "", BY_BATON, None, refused=True)
    _tell_agents(hold, Event.HOLD_EXPIRED)


def _tell_agents(hold: Hold, event: str) -> None:
    """By webhook, in the same transaction; who waits at the door sees the row itself."""
    hold.refresh_from_db()
    send.announce(hold.workspace_id, event, str(hold.pk), told(vars(hold)))
    _show(hold)


def _show(hold: Hold) -> None:
    transaction.on_commit(lambda: publish(hold.workspace_id, "batch"))


def _tell_decision(
    workspace_id: int, decision_id: UUID | None, verdict: str, who: str, minutes: float | None, *, refused: bool = False
) -> None:
    """What people said stands with the decision too, where rules are tried on it; what was refused no longer counts for
    rules that look back. A time that ran out is nobody's verdict."""
    if decision_id is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "update policies_decision set verdict = %s, reviewer = %s, minutes = %s "
            "where workspace_id = %s and id = %s",
            [verdict, who, minutes, workspace_id, decision_id],
        )
        if refused or verdict == Answered.REJECT:
            cursor.execute(
                "update policies_past set counts = false where workspace_id = %s and decision_id = %s",
                [workspace_id, decision_id],
            )


def _apply_at(hold: Hold, now: datetime) -> datetime:
    """Ten seconds, or until the deadline where that is sooner."""
    end = now + UNDO
    return min(end, hold.due_at) if hold.due_at and hold.due_at > now else end


def _note(hold: Hold, kind: str, who: str, at: datetime) -> None:
    told = {
        "verdict": hold.verdict,
        "noted": bool(hold.note),
        "decision": str(hold.decision_id) if hold.decision_id else None,
        "policy": hold.policy,
        "version": hold.version,
        "run": hold.run,
        "revision": hold.revision,
    }
    actor = f"person:{who}" if who else BY_BATON
    entries.record(hold.workspace_id, kind, ("hold", str(hold.pk)), actor, told, at)
