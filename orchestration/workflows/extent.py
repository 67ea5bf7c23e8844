"""From when until when there are runs, whatever range one looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.workflows.models import Run

NEWEST = 1_000  # runs among which the last end is looked for: long ones end after those that began later
LATER = timedelta(days=1)  # what is told so long after it happened was not told as it happened


@dataclass(frozen=True, slots=True)
class Extent:
    """`imported`: the newest runs were brought in long after they had ended."""

    first: datetime
    last: datetime
    imported: bool


def extent(workspace_id: int) -> Extent | None:
    """None where no run was ever heard of."""
    runs = Run.objects.filter(workspace_id=workspace_id, merged_into=None)
    first = runs.order_by("started_at", "id").values_list("started_at", flat=True).first()
    newest = list(runs.order_by("-started_at", "-id").values_list("ended_at", "heard_at")[:NEWEST])
    if first is None or not newest:
        return None
    last, heard = max(newest)
    return Extent(first, last, heard - last > LATER)
