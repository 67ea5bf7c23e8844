"""Which share of each workflow's runs ended without asking a person, against what an admin wants of it. Failed runs are
among them: a person was not asked, whatever came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestration.lib.stats import ENOUGH, wilson
from orchestration.workflows import paces
from orchestration.workflows.models import Measure, Workflow


@dataclass(frozen=True, slots=True)
class Alone:
    """`runs` that ended, `asked` of them a person. `target`: 0 to 1, None where nobody set one."""

    id: int
    workflow: str
    slug: str
    runs: int
    asked: int
    target: float | None

    @property
    def alone(self) -> int:
        return max(0, self.runs - self.asked)

    @property
    def share(self) -> float | None:
        return self.alone / self.runs if self.runs >= ENOUGH else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.alone, self.runs) if self.runs >= ENOUGH else None

    @property
    def state(self) -> str:
        """none (no target), few (too few runs), met or missed (the whole interval is so), open (either)."""
        if self.target is None:
            return "none"
        if self.interval is None:
            return "few"
        low, high = self.interval
        return "met" if low >= self.target else "missed" if high < self.target else "open"

    @property
    def below(self) -> float:
        """By how much it is below its target; less than 0 where it is above, or where nothing is known."""
        return self.target - self.share if self.target is not None and self.share is not None else -1.0


def by_workflow(workspace_id: int, since: datetime, until: datetime, workflow_id: int | None = None) -> list[Alone]:
    """Those of which runs ended, or of which something is wanted; the farthest below its target first."""
    rows = paces.rows_between(workspace_id, since, until)
    counts = paces.counted(rows, (Measure.DURATION, Measure.ESCALATED), workflow_id)
    flows = Workflow.objects.filter(workspace_id=workspace_id)
    if workflow_id is not None:
        flows = flows.filter(pk=workflow_id)
    found = [
        Alone(pk, name, slug, counts.get((pk, Measure.DURATION), 0), counts.get((pk, Measure.ESCALATED), 0), target)
        for pk, name, slug, target in flows.values_list("pk", "name", "slug", "alone_target")
    ]
    told = [each for each in found if each.runs or each.target is not None]
    return sorted(told, key=lambda each: (-each.below, -each.runs, each.workflow))
