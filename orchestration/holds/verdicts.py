"""What happens to a hold: decided by a person, taken back, applied, run out. Each is a change of rows that are locked
in the order of their ids and looked at again (the state, the revision that was seen), so that of two who press at once
one wins and the other is told; several are decided in one transaction, in as many statements as one.

A verdict is kept back for ten seconds, as a row with `apply_at`: until then it may be undone, and agents see the hold
as open. What has to be true at the same time happens in the same transaction: the decision's verdict, what rules look
back on, the ledger entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from orchestration.holds.models import Answered, Hold, State
from orchestration.holds.telling import BY_BATON, Word, note, show, tell_agents, tell_decisions, word
from orchestration.outbox.models import Event
from orchestration.workspaces.models import User

UNDO = timedelta(seconds=10)
MOST = 500  # in one sweep
PASSING = (Answered.APPROVE, Answered.AMEND)


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

    @property
    def said(self) -> dict[str, Any]:
        return {"answer": str(self.answer), "amend": dict(self.amend) if self.amend else None}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one hold. `first`: of two people this was the first word, and the hold stays open; `why`: what
    stands against it, where that is not that somebody was first."""

    hold: Hold
    done: bool
    first: bool = False
    why: str = ""


def decide(hold: Hold, verdict: Verdict, by: User, *, revision: int) -> Hold:
    """Raises TooLate when somebody was first, Unreasoned. The same verdict of the same person again changes nothing.

    Where two people have to approve, the first one's word is kept and the hold stays open; one person's no is enough.
    """
    (outcome,) = decide_many(hold.workspace_id, {hold.pk: revision}, verdict, by)
    if outcome.why:
        raise Unreasoned("note", outcome.why)
    if not outcome.done:
        raise TooLate(outcome.hold)
    return outcome.hold


def decide_many(workspace_id: int, asked: Mapping[UUID, int], verdict: Verdict, by: User) -> list[Outcome]:
    """One verdict on many holds, each by the revision that was looked at. What cannot be decided leaves the others
    alone; ids that are not of this workspace are left out. Raises Unreasoned."""
    verdict = verdict.checked()
    now = timezone.now()
    with transaction.atomic():
        # who reviewed is read afterwards: a join would show what it was before the lock was had
        locked = Hold.objects.select_for_update().filter(workspace_id=workspace_id, pk__in=asked).order_by("pk")
        fates = {hold.pk: _fate(hold, verdict, by, asked[hold.pk]) for hold in locked}
        won = _with(fates, WON)
        firsts = _with(fates, FIRST)
        _decided(won, verdict, by, now)
        said = verdict.said | {"by": by.pk, "until": (now + UNDO).isoformat()}
        Hold.objects.filter(pk__in=firsts).update(first=said, revision=F("revision") + 1)
        found = Hold.objects.select_related("reviewer").in_bulk(list(fates))
        note([found[pk] for pk in won], "verdict", by.get_username(), now)
        note([found[pk] for pk in firsts], "verdict.first", by.get_username(), now)
        if won or firsts:
            show(workspace_id)
    return [_outcome(found[pk], fates[pk]) for pk in asked if pk in fates]


WON, FIRST, SAME, LATE = "won", "first", "same", "late"
AGREE = "Another person has said something else: agree on one answer, or reject."


def _fate(hold: Hold, verdict: Verdict, by: User, revision: int) -> str:
    """What becomes of a locked hold: one of the four words, or why it cannot be."""
    if hold.state != State.OPEN:
        mine = hold.verdict == verdict.answer and hold.reviewer_id == by.pk
        return SAME if mine else LATE
    if hold.people > 1 and verdict.answer in PASSING:
        if hold.first is None:
            return FIRST if hold.revision == revision else LATE
        if hold.first["by"] == by.pk:
            return SAME
        if {name: hold.first[name] for name in ("answer", "amend")} != verdict.said:
            return AGREE
    return WON if hold.revision == revision else LATE


def _with(fates: Mapping[UUID, str], fate: str) -> list[UUID]:
    return [pk for pk, each in fates.items() if each == fate]


def _outcome(hold: Hold, fate: str) -> Outcome:
    done = fate in (WON, FIRST, SAME)
    first = hold.state == State.OPEN and fate in (FIRST, SAME)
    return Outcome(hold, done, first, "" if done or fate == LATE else fate)


def _decided(won: list[UUID], verdict: Verdict, by: User, now: datetime) -> None:
    """Ten seconds, or until the deadline where that is sooner."""
    end = now + UNDO
    Hold.objects.filter(pk__in=won).update(
        state=State.DECIDED,
        revision=F("revision") + 1,
        verdict=verdict.answer,
        note=verdict.note.strip()[:2000],
        amend=dict(verdict.amend) if verdict.amend else None,
        reviewer=by,
        decided_at=now,
        apply_at=Case(When(due_at__gt=now, due_at__lt=end, then=F("due_at")), default=Value(end)),
    )


def undo(hold: Hold, by: User) -> Hold:
    """Within ten seconds, by whoever decided. The database's clock alone says whether they are over, since by it the
    verdict is applied."""
    found = undo_many(hold.workspace_id, {hold.pk: None}, by)
    if not found:
        raise TooLate(Hold.objects.select_related("reviewer").get(pk=hold.pk))
    return found[0]


def undo_many(workspace_id: int, asked: Mapping[UUID, int | None], by: User) -> list[Hold]:
    """Takes back what `by` said on these and may still be taken back; returns them, open again. The numbers are the
    revisions that the verdicts made (None: whichever): what was decided once more since then stays."""
    now = timezone.now()
    with transaction.atomic():
        locked = Hold.objects.select_for_update().filter(workspace_id=workspace_id, pk__in=asked).order_by("pk")
        mine = [hold for hold in locked if asked[hold.pk] in (None, hold.revision)]
        firsts = [hold.pk for hold in mine if _first_word(hold, by, now)]
        theirs = Hold.objects.filter(pk__in=[hold.pk for hold in mine], state=State.DECIDED, reviewer=by)
        back = list(theirs.filter(apply_at__gt=Now()).values_list("pk", flat=True))
        Hold.objects.filter(pk__in=firsts).update(first=None, revision=F("revision") + 1)
        Hold.objects.filter(pk__in=back).update(
            state=State.OPEN,
            revision=F("revision") + 1,
            verdict="",
            note="",
            amend=None,
            reviewer=None,
            decided_at=None,
            apply_at=None,
        )
        found = list(Hold.objects.select_related("reviewer").filter(pk__in=[*back, *firsts]).order_by("pk"))
        note(found, "verdict.undone", by.get_username(), now)
        if found:
            show(workspace_id)
    return found


def _first_word(hold: Hold, by: User, now: datetime) -> bool:
    """Whether it is open with a first word of this person that may still be taken back."""
    said = hold.first
    if hold.state != State.OPEN or not said or said["by"] != by.pk or "until" not in said:
        return False
    return datetime.fromisoformat(said["until"]) > now


def apply_due() -> int:
    """The sweep: verdicts whose ten seconds are over take effect. Returns how many; may run twice."""
    return _sweep("state = 'decided' and apply_at <= now()", _apply)


def expire_due() -> int:
    """Holds that nobody answered in time and whose policy says that this means no. Others go on waiting: silence is no
    consent, and reminding is somebody else's."""
    return _sweep("state = 'open' and due_at <= now() and on_timeout = 'reject'", _expire)


def _sweep(where: str, all_of: Callable[[list[UUID], datetime], None]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"select id from holds_hold where {where} order by id limit %s for update skip locked",
            [MOST],
        )
        ids = [row[0] for row in cursor]
        if ids:
            all_of(ids, timezone.now())
    return len(ids)


def _apply(ids: list[UUID], now: datetime) -> None:
    Hold.objects.filter(pk__in=ids).update(state=State.APPLIED, revision=F("revision") + 1, applied_at=now)
    found = _stored(ids)
    tell_decisions([said for hold in found if (said := word(hold))])
    tell_agents(found, Event.HOLD_APPLIED)


def _expire(ids: list[UUID], now: datetime) -> None:
    Hold.objects.filter(pk__in=ids).update(
        state=State.EXPIRED,
        revision=F("revision") + 1,
        verdict=Answered.REJECT,
        note="Nobody answered in time, and the policy says that this means no.",
        decided_at=now,
        applied_at=now,
    )
    found = _stored(ids)
    note(found, "hold.expired", "", now)
    tell_decisions(
        [
            Word(hold.workspace_id, hold.decision_id, "", BY_BATON, None, refused=True)
            for hold in found
            if hold.decision_id
        ]
    )
    tell_agents(found, Event.HOLD_EXPIRED)


def _stored(ids: Iterable[UUID]) -> list[Hold]:
    return list(Hold.objects.select_related("reviewer").filter(pk__in=ids).order_by("pk"))
