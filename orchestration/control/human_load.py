"""What runs ask of people, by day: until there are escalations, the runs that asked somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestration.workflows import paces
from orchestration.workflows.models import Measure
from orchestration.workspaces.models import Workspace

DAYS = 30
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LoadDay:
    day: date
    asked: int  # runs that ended on it and had asked a person
    ended: int


@dataclass(frozen=True, slots=True)
class HumanLoad:
    """Thirty days, the last of them unfinished. Whether a person changed the outcome, and how much reviewers can bear,
    is known only of questions that are answered here, so neither is told yet."""

    days: list[LoadDay]

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
        known = [each.asked for each in self.days[:-1] if each.ended]
        return sum(known) / len(known) if known else None


def human_load(workspace_id: int, now: datetime) -> HumanLoad:
    """The last thirty days as the workspace counts them, each from its own midnight. Across a change of the clocks the
    earlier days are cut an hour off."""
    midnight = now.astimezone(_zone(workspace_id)).replace(hour=0, minute=0, second=0, microsecond=0)
    between = midnight - (DAYS - 1) * DAY, midnight + DAY
    measures = [(Measure.ESCALATED, 0), (Measure.DURATION, 0)]
    asked, ended = paces.by_parts(workspace_id, between, measures, points=DAYS)
    first = between[0].date()
    return HumanLoad(
        [LoadDay(first + place * DAY, a.n, e.n) for place, (a, e) in enumerate(zip(asked, ended, strict=True))]
    )


def _zone(workspace_id: int) -> ZoneInfo:
    try:
        return ZoneInfo(Workspace.objects.values_list("zone", flat=True).get(pk=workspace_id))
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
