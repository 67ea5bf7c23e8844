"""The middle pane: one batch, made so that what is odd is seen first and what is the same is said once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from escalations import spoken
from escalations.about import Ended, ended
from escalations.assigning import kept_from
from escalations.columns import Column, columns, same
from escalations.listing import who_is_here
from escalations.models import Batch, Escalation, Odds, Standing
from escalations.odds import Expected, Model, expected
from escalations.spoken import Spoken
from escalations.words import Clock, clock, money, person, shown, totals
from orchestration.holds.models import Answered, Hold, State
from orchestration.lib.templatetags.baton import clock as time_of
from orchestration.policies.models import Policy
from orchestration.workspaces.models import User, Workspace

LATELY = timedelta(minutes=10)  # so long one that somebody else decided is still shown, with who and when
SAID = {
    Answered.APPROVE: "Approved",
    Answered.REJECT: "Rejected",
    Answered.AMEND: "Changed and approved",
    Answered.MORE: "Asked for more",
}


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    number: bool
    marked: bool
    wide_only: bool


@dataclass(frozen=True, slots=True)
class Row:
    """`gone`: who decided it, and when; `shut`: why this person cannot."""

    case: Escalation
    hold: Hold
    amount: str
    odd_amount: bool
    cells: list[Cell]
    gone: str = ""
    shut: str = ""
    kept: bool | None = None  # as the person had chosen it, where a verdict failed
    wrong: float | None = None  # how many wrong ones it adds to those expected, if it is approved

    @property
    def free(self) -> bool:
        return not (self.gone or self.shut)

    @property
    def odd(self) -> bool:
        return bool(self.case.differs) and self.case.standing == Standing.DIFFERS

    @property
    def chosen(self) -> bool:
        return self.free and (self.case.selected if self.kept is None else self.kept)

    @property
    def cents(self) -> str:
        """For the script that adds up what is chosen."""
        return "" if self.case.amount is None else f"{self.case.amount:.2f}"


@dataclass(frozen=True, slots=True)
class Opened:
    batch: Batch
    clock: Clock
    here: str
    policy: str  # its name; "" where the agent itself asks
    rows: list[Row]
    columns: list[Column]
    has_amounts: bool
    same: list[str]
    ended: Ended
    expected: Expected | None
    if_all: Expected | None  # were approved
    asks: bool  # an agent's own questions: what tells them apart is what they ask
    before: list[Spoken]  # what was decided of cases like these

    @property
    def cases(self) -> list[Row]:
        """Those that can still be decided by somebody."""
        return [row for row in self.rows if not row.gone]

    @property
    def free(self) -> list[Row]:
        return [row for row in self.rows if row.free]

    @property
    def chosen(self) -> list[Row]:
        return [row for row in self.rows if row.chosen]

    @property
    def expected_words(self) -> str:
        """`0.4 wrong expected`"""
        if self.expected is None:
            return ""
        return (
            f"{self.expected.wrong:.1f} wrong expected"
            if self.expected.wrong >= 0.05
            else "fewer than 0.1 wrong expected"
        )

    @property
    def none_words(self) -> str:
        """Why nothing is ticked: `of all 13, 1.4 wrong expected`"""
        if self.if_all is None:
            return ""
        return f"of all {len(self.free)}, {self.if_all.wrong:.1f} wrong expected"

    @property
    def total(self) -> str:
        return totals([(row.case.amount, row.case.currency) for row in self.chosen])

    @property
    def currency(self) -> str:
        found = {row.case.currency for row in self.rows if row.case.currency}
        return found.pop() if len(found) == 1 else ""

    def row(self, number: int | None) -> Row | None:
        """The one asked for, else the first."""
        asked = next((row for row in self.rows if row.case.number == number), None)
        return asked or next(iter(self.cases), None) or next(iter(self.rows), None)

    def beside(self, row: Row, by: int) -> int | None:
        """Number of the case below or above."""
        place = self.rows.index(row) + by
        return self.rows[place].case.number if 0 <= place < len(self.rows) else None


def find(workspace: Workspace, batch_id: UUID) -> Batch | None:
    return Batch.objects.select_related("claimed_by", "assigned_to").filter(workspace=workspace, pk=batch_id).first()


def opened(batch: Batch, reader: User, now: datetime, *, reads: bool, kept: frozenset[UUID] | None = None) -> Opened:
    """`reads`: whether this person may see what agents said; without it only what Baton knows itself is told. `kept`:
    what was chosen when a verdict failed."""
    lately = Q(open=True) | Q(closed_at__gte=now - LATELY)
    cases = list(Escalation.objects.filter(lately, batch=batch).order_by("number"))
    holds = Hold.objects.select_related("reviewer").in_bulk([case.hold_id for case in cases])
    pairs = [(case, holds[case.hold_id]) for case in cases if case.hold_id in holds]
    shown_ones = [(case, hold) for case, hold in pairs if hold.state == State.OPEN or _by_others(hold, reader)]
    fields = [case.fields for case, hold in shown_ones if hold.state == State.OPEN]
    marked = [name for case, _ in shown_ones for name in case.differs]
    wanted = columns(fields, marked) if reads and fields else []
    rows = [_row(case, hold, reader, wanted) for case, hold in shown_ones]
    barred = kept_from(batch.workspace_id, reader, {row.hold.pk: row.hold.people for row in rows if not row.gone})
    rows = [replace(row, shut=row.shut or barred[row.hold.pk]) if row.hold.pk in barred else row for row in rows]
    if kept is not None:
        rows = [replace(row, kept=row.case.hold_id in kept) for row in rows]
    rows.sort(key=lambda row: (bool(row.gone), not row.odd, -row.case.distance if row.odd else 0, row.case.number))
    model = _model(batch, cases)
    rows = [_with_odds(model, row) for row in rows]
    return Opened(
        batch=batch,
        clock=clock(batch.due_at, now),
        here=who_is_here(batch, reader, now),
        policy=_policy(batch),
        rows=rows,
        columns=wanted,
        has_amounts=any(row.case.amount is not None for row in rows),
        same=same(fields) if reads else [],
        ended=ended(batch, cases[0] if cases else None),
        asks=reads and not batch.policy,
        expected=expected(model, [row.case.risk for row in rows if row.chosen]),
        if_all=expected(model, [row.case.risk for row in rows if row.free]),
        before=spoken.of_rows([row.case for row in rows if not row.gone], now),
    )


def _model(batch: Batch, cases: list[Escalation]) -> Model | None:
    """What verdicts on such acts have taught."""
    if not cases or not cases[0].action_type:
        return None
    act = {"agent": cases[0].agent, "action_type": cases[0].action_type}
    return Odds.objects.filter(workspace_id=batch.workspace_id, **act).values_list("model", flat=True).first()


def _with_odds(model: Model | None, row: Row) -> Row:
    """With what it adds to the wrong ones expected, so that a script can add up what is chosen."""
    one = expected(model, [row.case.risk])
    return replace(row, wrong=one.wrong) if one else row


def _by_others(hold: Hold, reader: User) -> bool:
    return hold.state in (State.DECIDED, State.APPLIED, State.EXPIRED) and hold.reviewer_id != reader.pk


def _row(case: Escalation, hold: Hold, reader: User, wanted: list[Column]) -> Row:
    cells = [
        Cell(shown(each.name, case.fields.get(each.name)), each.number, each.name in case.differs, each.wide_only)
        for each in wanted
    ]
    gone = "" if hold.state == State.OPEN else who_was_first(hold)
    amount = case.amount if case.amount is not None else _amount_of(case)
    return Row(
        case, hold, money(amount), "amount" in case.differs, cells, gone, "" if gone else why_not(case, hold, reader)
    )


def _amount_of(case: Escalation) -> Decimal | None:
    value = case.fields.get("amount")
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None


def who_was_first(hold: Hold) -> str:
    """What is told to whoever decided a moment too late."""
    if not hold.verdict:
        return "Changed since this page was made"
    at = f", {time_of(hold.decided_at)}" if hold.decided_at else ""
    return f"{SAID[Answered(hold.verdict)]} by {'a precedent' if hold.precedent_id else person(hold.reviewer)}{at}"


def why_not(case: Escalation, hold: Hold, reader: User) -> str:
    """Why this person cannot decide an open case; "" where nothing stands against it. What the first of two said stays
    hidden from the second."""
    if case.raised_by and case.raised_by == reader.get_username():
        return "You raised it: somebody else decides"
    if hold.people > 1 and hold.first and hold.first.get("by") == reader.pk:
        return "You have answered: a second person has to"
    return ""


def _policy(batch: Batch) -> str:
    if not batch.policy:
        return ""
    named = Policy.objects.filter(workspace_id=batch.workspace_id, slug=batch.policy)
    return named.values_list("name", flat=True).first() or ""
