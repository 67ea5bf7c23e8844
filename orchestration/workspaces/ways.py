"""What an admin sets for a whole workspace: how long and how much of its data is kept, and in which
currency it counts money. Each is written here, and nowhere else."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from django.db import transaction

from orchestration.workspaces.models import User, Workspace

MOST_SPAN_DAYS = 180  # each day is a table of its own
MOST_RUN_DAYS = 3650


class NotKept(ValueError):
    """Data cannot be kept like that; the text says why."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Days that things are kept: spans, logs and minute figures; runs and the figures of hours and days; the facts of
    decisions."""

    span_days: int
    run_days: int
    decision_days: int = 400

    @classmethod
    def of(cls, workspace: Workspace) -> Keeping:
        return cls(workspace.span_days, workspace.run_days, workspace.decision_days)

    def shortens(self, other: Keeping) -> bool:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return any(mine < theirs for mine, theirs in pairs)


@transaction.atomic
def keep_for(workspace: Workspace, keeping: Keeping, by: User | None, *, instead_of: Keeping | None = None) -> Keeping:
    """Set how long data is kept; answers what held before. With `instead_of` only where that still holds, so that
    nobody agrees to a loss other than the one that was shown: else NotKept."""
    if not 1 <= keeping.span_days <= MOST_SPAN_DAYS or not keeping.span_days <= keeping.run_days <= MOST_RUN_DAYS:
        raise NotKept(f"spans are kept for 1 to {MOST_SPAN_DAYS} days, runs for as long or longer")
    if not 1 <= keeping.decision_days <= MOST_RUN_DAYS:
        raise NotKept(f"facts of decisions are kept for 1 to {MOST_RUN_DAYS} days")
    row = Workspace.objects.select_for_update().get(pk=workspace.pk)
    before = Keeping.of(row)
    if instead_of not in (None, before):
        raise NotKept("somebody else has changed this meanwhile")
    row.span_days, row.run_days, row.decision_days = astuple(keeping)
    row.save(update_fields=["span_days", "run_days", "decision_days"])
    return before


def count_in(workspace: Workspace, currency: str, by: User | None) -> None:
    """Set the currency. The caller has made sure that nothing was counted in the one before."""
    Workspace.objects.filter(pk=workspace.pk).update(currency=currency)


def keep_content(workspace: Workspace, wanted: bool, by: User | None) -> bool:
    """Whether prompts and results are stored from now on. False when it was so already."""
    rows = Workspace.objects.filter(pk=workspace.pk, keeps_content=not wanted)
    return rows.update(keeps_content=wanted) == 1
