"""What the inbox shows of holds: those that wait, most urgent first, and what people said lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import F

from orchestration.holds.models import Answered, Hold, State
from orchestration.lib.templatetags.baton import duration, plural
from orchestration.policies.models import Decision
from orchestration.workspaces.models import User, Workspace

ON_A_PAGE = 50
LATELY = 20  # decided ones that are shown
SOON = timedelta(minutes=30)
SAID = {
    Answered.APPROVE: "Approved",
    Answered.REJECT: "Rejected",
    Answered.AMEND: "Changed and approved",
    Answered.MORE: "Asked for more",
}


@dataclass(frozen=True, slots=True)
class Case:
    """A hold that waits. `clock` and `tone` tell how much time is left: grey, marigold below half an hour, red late."""

    hold: Hold
    amount: str  # "" where none was asked for
    currency: str
    clock: str
    tone: str  # "" | human | crit


@dataclass(frozen=True, slots=True)
class Answer:
    """A hold that was decided. `left_s`: so long this person may take the verdict back."""

    hold: Hold
    said: str
    who: str
    left_s: int

    @property
    def tone(self) -> str:
        return "crit" if self.hold.verdict == Answered.REJECT else "ok"


@dataclass(frozen=True, slots=True)
class Inbox:
    title: str
    lede: str
    cases: list[Case]
    answers: list[Answer]
    count: int
    late: int
    first: int  # place of the first one shown
    newer: int  # numbers of pages, 0 where there is none
    older: int

    @property
    def undoable(self) -> Answer | None:
        """The verdict given last, while it may be taken back."""
        return next((answer for answer in self.answers if answer.left_s), None)

    @property
    def words(self) -> str:
        return f"{self.first} to {self.first + len(self.cases) - 1} of {self.count:,}"


def inbox(workspace: Workspace, person: User, now: datetime, page: int = 1) -> Inbox:
    """Page numbers beyond the last are the last."""
    found = Hold.objects.filter(workspace=workspace).open()
    count, late = found.count(), found.filter(due_at__lt=now).count()
    page = max(1, min(page, -(-count // ON_A_PAGE)))
    start = (page - 1) * ON_A_PAGE
    rows = list(found.order_by(F("due_at").asc(nulls_last=True), "opened_at", "id")[start : start + ON_A_PAGE])
    more = start + len(rows) < count
    title, lede = _finding(count, late, rows[0] if rows and page == 1 else None, now)
    return Inbox(
        title, lede, _cases(workspace, rows, now), _answers(workspace, person, now), count, late,
        start + 1, page - 1, page + 1 if more else 0,
    )  # fmt: skip


def one(workspace: Workspace, hold_id: UUID) -> Hold | None:
    return Hold.objects.select_related("reviewer").filter(workspace=workspace, pk=hold_id).first()


def who_was_first(hold: Hold) -> str:
    """What is told to whoever decided a moment too late."""
    if not hold.verdict:
        return "It was taken back or changed since this page was made: look at it again."
    who = hold.reviewer.get_username() if hold.reviewer else "Baton"
    return f"{SAID[Answered(hold.verdict)]} by {who} already"


def _finding(count: int, late: int, first: Hold | None, now: datetime) -> tuple[str, str]:
    if not count:
        return "Nothing waits for a person", "Agents ask here when a policy or they themselves want a person to decide."
    wait = plural(count, "case waits,cases wait")
    if late:
        return f"{wait}, {late:,} of them late", "The most urgent come first."
    if first and first.due_at:
        return wait, f"The first is due in {duration(_minutes(first.due_at - now))}."
    return wait, "None has a deadline; the oldest come first."


def _cases(workspace: Workspace, rows: list[Hold], now: datetime) -> list[Case]:
    ids = [row.decision_id for row in rows if row.decision_id]
    asked = Decision.objects.filter(workspace=workspace, id__in=ids).values_list("id", "amount", "currency")
    amounts: dict[UUID | None, tuple[str, str]] = {row[0]: (_plain(row[1]), row[2]) for row in asked}
    return [Case(row, *amounts.get(row.decision_id, ("", "")), *_clock(row.due_at, now)) for row in rows]


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"


def _clock(due_at: datetime | None, now: datetime) -> tuple[str, str]:
    if due_at is None:
        return "no deadline", ""
    if due_at < now:
        return f"{duration(_minutes(now - due_at))} late", "crit"
    return f"due in {duration(_minutes(due_at - now))}", "human" if due_at - now < SOON else ""


def _minutes(time: timedelta) -> timedelta:
    """Whole minutes where there are some: seconds that run would only make people hurry."""
    return timedelta(minutes=time // timedelta(minutes=1)) if time >= timedelta(minutes=1) else time


def _answers(workspace: Workspace, person: User, now: datetime) -> list[Answer]:
    found = Hold.objects.filter(workspace=workspace, decided_at__isnull=False).select_related("reviewer")
    return [_answer(row, person, now) for row in found.order_by("-decided_at")[:LATELY]]


def _answer(hold: Hold, person: User, now: datetime) -> Answer:
    mine = hold.state == State.DECIDED and hold.reviewer_id == person.pk and hold.apply_at is not None
    left = (hold.apply_at - now).total_seconds() if mine and hold.apply_at else 0.0
    who = hold.reviewer.get_username() if hold.reviewer else "Baton"
    return Answer(hold, SAID[Answered(hold.verdict)], who, max(0, int(left)))
