"""The left pane: which batches are open, in which order, and which of them are put off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.http import QueryDict

from escalations.models import Batch, Escalation
from escalations.words import Clock, clock, person
from orchestration.workspaces.models import User, Workspace

ON_A_PAGE = 30
MOST_SNOOZED = 20
SORTS = {"due": "Due first", "newest": "Newest first", "largest": "Largest first"}
VIEWS = {"mine": "For me", "team": "Team"}
_ORDER: dict[str, tuple[Any, ...]] = {
    "due": ("due_at", "id"),  # PostgreSQL puts those without a deadline last, and has an index in this order
    "newest": ("-opened_at", "-id"),
    "largest": ("-cases", "due_at", "id"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the address asks for; whatever it cannot mean is as if it were not there."""

    view: str = "mine"
    sort: str = "due"
    page: int = 1

    @classmethod
    def of(cls, query: QueryDict, view: str) -> Wish:
        number = query.get("page", "")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1
        wished, sort = query.get("view", ""), query.get("sort", "")
        return cls(wished if wished in VIEWS else view, sort if sort in SORTS else "due", max(1, page))

    def query(self, **more: Any) -> str:
        """As it stands in an address, what is usual left out."""
        told = {"view": self.view, "sort": self.sort, "page": self.page} | more
        usual = {"sort": "due", "page": 1}
        kept = {name: value for name, value in told.items() if value not in (None, "", usual.get(name))}
        return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True, slots=True)
class Line:
    batch: Batch
    clock: Clock
    here: str  # who has it open, if somebody else has
    why: str = ""  # in a few words why it came to this person; of another's, with whom it is

    @property
    def alike(self) -> int:
        return self.batch.cases - self.batch.differing

    @property
    def sheets(self) -> str:
        """As many as are drawn of the stack."""
        return "xxx" if self.batch.cases > 9 else "xx"


@dataclass(frozen=True, slots=True)
class Listing:
    wish: Wish
    lines: list[Line]
    snoozed: list[Line]
    batches: int  # in this view
    cases: int
    mine: int  # cases for me, and for everybody
    team: int
    pages: int
    last_at: datetime | None  # when the last one was decided

    @property
    def first(self) -> int:
        return (self.wish.page - 1) * ON_A_PAGE + 1

    @property
    def words(self) -> str:
        return f"{self.first} to {self.first + len(self.lines) - 1} of {self.batches:,}"

    @property
    def sorts(self) -> list[tuple[str, str, bool]]:
        """Address, name, whether it is chosen."""
        found = [(self.wish.query(sort=name, page=1), words, name == self.wish.sort) for name, words in SORTS.items()]
        return [(address or ".", words, chosen) for address, words, chosen in found]

    @property
    def sort_words(self) -> str:
        return SORTS[self.wish.sort]

    @property
    def next_sort(self) -> str:
        names = list(SORTS)
        return self.wish.query(sort=names[(names.index(self.wish.sort) + 1) % len(names)], page=1)

    @property
    def before(self) -> str:
        return self.wish.query(page=self.wish.page - 1) if self.wish.page > 1 else ""

    @property
    def after(self) -> str:
        return self.wish.query(page=self.wish.page + 1) if self.wish.page < self.pages else ""

    def following(self, batch_id: UUID) -> UUID | None:
        """The one below, else the first that is another."""
        ids = [line.batch.pk for line in self.lines]
        if batch_id in ids and batch_id != ids[-1]:
            return ids[ids.index(batch_id) + 1]
        return next((each for each in ids if each != batch_id), None)

    def place(self, batch_id: UUID) -> str:
        """`1 of 5`"""
        for place, line in enumerate(self.lines):
            if line.batch.pk == batch_id:
                return f"{self.first + place} of {self.batches:,}"
        return ""


def listing(workspace: Workspace, reader: User, wish: Wish, now: datetime) -> Listing:
    """Page numbers beyond the last are the last."""
    everything = Batch.objects.filter(workspace=workspace, closed_at=None, cases__gt=0)
    asleep = Q(snoozed_until__gt=now)
    for_me = Q(assigned_to=reader) | Q(assigned_to=None)
    counted = everything.exclude(asleep).aggregate(
        team=Sum("cases"), mine=Sum("cases", filter=for_me), all=Count("id"), my=Count("id", filter=for_me)
    )
    mine = wish.view == "mine"
    batches = counted["my" if mine else "all"]
    pages = max(1, -(-batches // ON_A_PAGE))
    wish = Wish(wish.view, wish.sort, min(wish.page, pages))
    found = everything.filter(for_me) if mine else everything
    start = (wish.page - 1) * ON_A_PAGE
    awake = found.exclude(asleep).order_by(*_ORDER[wish.sort])[start : start + ON_A_PAGE]
    last_at = None if batches else Escalation.objects.filter(workspace=workspace).aggregate(at=Max("closed_at"))["at"]
    return Listing(
        wish=wish,
        lines=_lines(awake, reader, now),
        snoozed=_lines(found.filter(asleep).order_by("snoozed_until", "id")[:MOST_SNOOZED], reader, now),
        batches=batches,
        cases=counted["mine" if mine else "team"] or 0,
        mine=counted["mine"] or 0,
        team=counted["team"] or 0,
        pages=pages,
        last_at=last_at,
    )


def _lines(found: QuerySet[Batch], reader: User, now: datetime) -> list[Line]:
    rows = found.select_related("claimed_by", "assigned_to").only(*_COLUMNS)
    return [Line(row, clock(row.due_at, now), who_is_here(row, reader, now), whose(row, reader)) for row in rows]


def whose(batch: Batch, reader: User) -> str:
    if batch.assigned_to is None:
        return ""
    mine = batch.assigned_to_id == reader.pk
    return batch.assigned_why.partition(". ")[0] if mine else f"With {person(batch.assigned_to)}"


_COLUMNS = (
    *("id", "title", "agent", "policy", "people", "cases", "differing", "due_at", "assigned_why", "assigned_to_id"),
    *("snoozed_until", "claimed_until", "claimed_by__username", "claimed_by__first_name", "claimed_by__last_name"),
    *("assigned_to__username", "assigned_to__first_name", "assigned_to__last_name"),
)


def who_is_here(batch: Batch, reader: User, now: datetime) -> str:
    """Who else has it open: told to everybody, forbidding nobody."""
    if batch.claimed_by is None or batch.claimed_until is None or batch.claimed_until <= now:
        return ""
    return "" if batch.claimed_by_id == reader.pk else person(batch.claimed_by)
