"""How much the reviewers of a workspace can bear: written by the room that knows their hours and their pace, read by
whoever compares it with what comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestration.holds.models import Capacity

ENOUGH = 30  # cases before their median says how long one takes


@dataclass(frozen=True, slots=True)
class Strength:
    """`a_day`: how many cases a day they can decide; None while too few were measured."""

    people: int
    minutes_a_day: float
    case_seconds: float | None
    measured: int

    @property
    def a_day(self) -> float | None:
        if self.case_seconds is None or self.case_seconds <= 0 or self.measured < ENOUGH:
            return None
        return self.minutes_a_day * 60 / self.case_seconds


def note(workspace_id: int, known: Strength, now: datetime) -> None:
    values = {
        "people": known.people,
        "minutes_a_day": known.minutes_a_day,
        "case_seconds": known.case_seconds,
        "measured": known.measured,
        "as_of": now,
    }
    Capacity.objects.update_or_create(workspace_id=workspace_id, defaults=values)


def strength(workspace_id: int) -> Strength | None:
    """None where nothing was ever written. People may be 0: then nobody has said when they review."""
    row = Capacity.objects.filter(workspace_id=workspace_id).first()
    return Strength(row.people, row.minutes_a_day, row.case_seconds, row.measured) if row else None


def noted() -> set[int]:
    """Workspaces of which something stands here."""
    return set(Capacity.objects.values_list("workspace_id", flat=True))
