"""What is asked of people, by day, against what they can bear: the one source of the overview's panel, its finding and
`GET /api/v1/overview`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from math import sqrt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestration.control import tickets
from orchestration.control.alone import Alone, by_workflow
from orchestration.control.overrun import WEEK, Overrun, overrun
from orchestration.control.tickets import Tickets
from orchestration.holds.capacity import Strength, strength
from orchestration.lib.stats import wilson
from orchestration.policies.models import PolicyVersion
from orchestration.workflows import paces
from orchestration.workflows.models import Measure
from orchestration.workspaces.models import Workspace

DAYS = 30
WORKDAYS = 5  # of a week, on which something is asked where anything is
BEFORE = 28  # days between the two weeks that growth compares
READ = BEFORE + WEEK + 1  # the last of them is today
DAY = timedelta(days=1)
IN_A_ROW = 3  # days over capacity, until it is said
GREW = 0.2
MOST_PUBLISHED = 20


@dataclass(frozen=True, slots=True)
class LoadDay:
    """`asked`: questions that came on the day; before the first one known here, runs that ended on it and had asked a
    person. What is neither changed nor unchanged has no verdict."""

    day: date
    asked: int
    ended: int
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    day: date
    policy: str
    slug: str
    version: int


@dataclass(frozen=True)
class HumanLoad:
    """Thirty days, the last of them unfinished. `earlier`: the week of days before them, for what grew."""

    days: list[LoadDay]
    earlier: list[LoadDay] = field(default_factory=list)
    capacity: Strength | None = None
    published: list[Published] = field(default_factory=list)
    tickets: bool = False  # whether any question is known, or only runs
    alone: list[Alone] = field(default_factory=list)  # of each workflow, the farthest below its target first

    @property
    def today(self) -> LoadDay:
        return self.days[-1]

    @property
    def asked(self) -> int:
        return sum(each.asked for each in self.days)

    @property
    def ended(self) -> int:
        return sum(each.ended for each in self.days)

    @property
    def a_day(self) -> float | None:
        """The mean of the finished days on which anything ended."""
        known = [each.asked for each in self.days[:-1] if each.ended or each.asked]
        return sum(known) / len(known) if known else None

    @property
    def changed(self) -> int:
        return sum(each.changed for each in self.days)

    @property
    def unchanged(self) -> int:
        return sum(each.unchanged for each in self.days)

    @property
    def answered(self) -> int:
        return self.changed + self.unchanged

    @property
    def unchanged_share(self) -> float | None:
        return self.unchanged / self.answered if self.answered else None

    @property
    def unchanged_interval(self) -> tuple[float, float] | None:
        return wilson(self.unchanged, self.answered)

    @property
    def capacity_a_day(self) -> float | None:
        return self.capacity.a_day if self.capacity and self.capacity.people else None

    @property
    def over_a_day(self) -> float | None:
        """By how much the mean of the last three finished days exceeds what people can bear; below 0: room left."""
        if self.capacity_a_day is None or not self.known:
            return None
        lately = self.known[-IN_A_ROW:]
        return sum(lately) / len(lately) - self.capacity_a_day

    @property
    def over_days(self) -> int:
        """How many finished days in a row, until yesterday, were over capacity."""
        count, most = 0, self.capacity_a_day
        for asked in reversed(self.known):
            if most is None or asked <= most:
                break
            count += 1
        return count

    @property
    def exceeded(self) -> bool:
        return self.over_days >= IN_A_ROW

    @cached_property
    def known(self) -> list[int]:
        """The finished days from the first on which anything was asked."""
        asked = [each.asked for each in self.days[:-1]]
        first = next((place for place, each in enumerate(asked) if each), len(asked))
        return asked[first:]

    @cached_property
    def overrun(self) -> Overrun:
        return overrun(self.known, self.today.day, self.capacity_a_day)

    @cached_property
    def weeks(self) -> tuple[int, int]:
        """How many were asked in the last seven finished days, and in the seven four weeks before those: 0 where those
        are not known as a whole, since Baton came or the questions began within them."""
        finished = [each.asked for each in (*self.earlier, *self.days)][:-1]
        then = finished[-WEEK - BEFORE : -BEFORE]
        return sum(finished[-WEEK:]), sum(then) if sum(map(bool, then)) >= WORKDAYS else 0

    @property
    def growth(self) -> float | None:
        """None where four weeks ago nothing was asked, or nobody knows."""
        now, then = self.weeks
        return now / then - 1 if then else None

    @property
    def grew(self) -> bool:
        """By more than a fifth, and by more than counting alone makes two weeks differ."""
        now, then = self.weeks
        return bool(then) and now > (1 + GREW) * then and now - then > 2 * sqrt(now + then)


def human_load(workspace_id: int, now: datetime) -> HumanLoad:
    """The last thirty days as the workspace counts them, each from its own midnight. Across a change of the clocks the
    earlier days are cut an hour off."""
    since, until = _shown_days(workspace_id, now)
    between = since - (READ - DAYS) * DAY, until
    measures = [(Measure.ESCALATED, 0), (Measure.DURATION, 0)]
    runs = paces.by_parts(workspace_id, between, measures, points=READ)
    asked = tickets.by_day(workspace_id, *between)
    first, begin = min(asked, default=READ), between[0].date()
    days = [
        _day(begin + place * DAY, asked.get(place, Tickets()), (seen.n, ended.n), place < first)
        for place, (seen, ended) in enumerate(zip(*runs, strict=True))
    ]
    shown = days[-DAYS:]
    news = _published(workspace_id, since, until)
    known = any(place >= READ - DAYS for place in asked)
    return HumanLoad(shown, days[:-DAYS], strength(workspace_id), news, known, by_workflow(workspace_id, since, until))


def alone_of(workspace_id: int, workflow_id: int, now: datetime) -> Alone | None:
    """One workflow as the whole has it. None: no run ended, and no target is set."""
    found = by_workflow(workspace_id, *_shown_days(workspace_id, now), workflow_id)
    return found[0] if found else None


def _shown_days(workspace_id: int, now: datetime) -> tuple[datetime, datetime]:
    midnight = now.astimezone(_zone(workspace_id)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - (DAYS - 1) * DAY, midnight + DAY


def _day(day: date, told: Tickets, runs: tuple[int, int], only_runs: bool) -> LoadDay:
    return LoadDay(day, runs[0] if only_runs else told.asked, runs[1], told.changed, told.unchanged)


def _published(workspace_id: int, since: datetime, until: datetime) -> list[Published]:
    """Versions that went live, newest last."""
    rows = (
        PolicyVersion.objects.filter(policy__workspace_id=workspace_id, published_at__gte=since, published_at__lt=until)
        .order_by("-published_at")
        .values_list("published_at", "policy__name", "policy__slug", "number")[:MOST_PUBLISHED]
    )
    return [
        Published(at.astimezone(since.tzinfo).date(), name, slug, number)
        for at, name, slug, number in reversed(rows)
        if at is not None
    ]


def _zone(workspace_id: int) -> ZoneInfo:
    try:
        return ZoneInfo(Workspace.objects.values_list("zone", flat=True).get(pk=workspace_id))
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
