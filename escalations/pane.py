"""The right pane: one case. How it compares with the others of its batch, what agents did, what speaks for letting it
pass, and why this person is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from escalations.columns import Compared, compare
from escalations.opened import Opened, Row
from escalations.spoken import Spoken
from escalations.trail import Deed, trail
from escalations.words import label, money, shown
from orchestration.holds.models import Hold
from orchestration.policies import asks, live
from orchestration.policies.live import Book
from orchestration.policies.models import Decision, Rulebook
from orchestration.policies.nearest import AMOUNT, KINDS, Variant, nearest

ACCEPTED_FOR = timedelta(hours=24)
MOST_ARGUMENTS = 12
SHOWN = 6  # lines of the comparison; the others are unfolded
_books: dict[int, Book] = {}  # by workspace: compiling a hundred rules for each look would be most of the page


@dataclass(frozen=True, slots=True)
class Passing:
    """What would let it pass, in words; `amount` where a person can grant just that."""

    words: str
    name: str  # foreign where a rule names a field that agents send
    value: str
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Pane:
    row: Row
    compared: list[Compared]
    others: int
    trail: list[Deed]
    passing: list[Passing]
    until: datetime  # offered as the end of a conditional yes
    arguments: list[tuple[str, str]]  # of the act, that a person may change
    amount: str
    currency: str
    above: int | None
    below: int | None
    revision: int
    reads: bool

    before: Spoken | None = None

    @property
    def hold(self) -> Hold:
        return self.row.hold

    @property
    def differing(self) -> int:
        return sum(line.differs for line in self.compared)

    @property
    def first_lines(self) -> list[Compared]:
        return self.compared[: max(SHOWN, self.differing)]

    @property
    def more_lines(self) -> list[Compared]:
        return self.compared[max(SHOWN, self.differing) :]

    @property
    def grantable(self) -> Passing | None:
        return next((each for each in self.passing if each.amount), None)


def pane(batch: Opened, number: int | None, *, reads: bool) -> Pane | None:
    row = batch.row(number)
    if row is None:
        return None
    others = [each.case.fields for each in batch.rows if each is not row and not each.gone]
    decision = _decision(row.hold)
    return Pane(
        row=row,
        compared=compare(row.case.fields, others, row.case.differs) if reads else [],
        others=len(others),
        trail=trail(row.hold),
        passing=_passing(row.hold, decision) if decision and reads else [],
        until=timezone.now() + ACCEPTED_FOR,
        arguments=_arguments(decision) if decision and reads else [],
        amount=row.amount.replace(",", ""),
        currency=row.case.currency,
        above=batch.beside(row, -1),
        below=batch.beside(row, 1),
        revision=row.hold.revision,
        reads=reads,
        before=next((each for each in batch.before if each.precedent.pk == row.case.precedent_id), None),
    )


def _decision(hold: Hold) -> Decision | None:
    if hold.decision_id is None:
        return None
    return Decision.objects.filter(workspace=hold.workspace_id, id=hold.decision_id).first()


def _passing(hold: Hold, decision: Decision) -> list[Passing]:
    """Asked of the rules in force now: an old version may have promised what a new one forbids."""
    if not hold.policy:
        return []
    book = _book(hold.workspace_id)
    found = nearest(book.rules, asks.restored(decision.facts), book.default)
    return [_told(each) for each in found]


def _told(variant: Variant) -> Passing:
    if variant.name == AMOUNT:
        return Passing("at most", "Amount", money(variant.value), f"{variant.value:.2f}")
    if variant.name == KINDS:
        return Passing("with", "Evidence", str(variant.value).replace("_", " "))
    return Passing("if", label(variant.name), shown(variant.name, variant.value).lower())


def _book(workspace_id: int) -> Book:
    generation = Rulebook.objects.filter(workspace=workspace_id).values_list("generation", flat=True).first()
    held = _books.get(workspace_id)
    if held is None or held.generation != generation:
        held = _books[workspace_id] = live.book(workspace_id)
    return held


def _arguments(decision: Decision) -> list[tuple[str, str]]:
    """Plain ones: a list or an object is changed by asking for more."""
    given: dict[str, Any] = decision.facts.get("action.arguments") or {}
    plain = {name: value for name, value in given.items() if isinstance(value, str | int | float | bool)}
    return [(name, _written(value)) for name, value in plain.items()][:MOST_ARGUMENTS]


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
