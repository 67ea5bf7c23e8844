"""What routing may do, as an admin set it, with the receipt of each change."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.db import transaction
from django.utils import timezone

from orchestration.ledger import entries
from orchestration.lib.remembering import Remembered
from orchestration.routing.models import Bounds, Healing
from orchestration.workspaces.models import Workspace

FRESH_S = 3.0  # so long a process goes by what it read
MOST_EXPLORATION = 0.1


@dataclass(frozen=True, slots=True)
class May:
    healing: str = Healing.PROPOSE.value
    exploration: float = 0.02  # never on what is of high risk
    dwell_minutes: int = 5
    half_life_days: float = 7.0


_known: Remembered[int, May] = Remembered(FRESH_S)


def bounds(workspace_id: int) -> May:
    row = Bounds.objects.filter(workspace_id=workspace_id).first()
    return May(row.healing, row.exploration, row.dwell_minutes, row.half_life_days) if row else May()


def remembered(workspace_id: int) -> May:
    """The same for who asks many times a second."""
    return _known.of(workspace_id, lambda: bounds(workspace_id))


@transaction.atomic
def allow(workspace: Workspace, wanted: May, by: str) -> bool:
    """False when it was so before. `by` as the ledger names actors."""
    before = bounds(workspace.pk)
    if before == wanted:
        return False
    Bounds.objects.update_or_create(workspace=workspace, defaults=asdict(wanted))
    told = {"after": _told(wanted), "before": _told(before)}
    entries.record(workspace.pk, "routing.changed", ("workspace", workspace.slug), by, told, timezone.now())
    _known.drop(workspace.pk)
    return True


def forget() -> None:
    """Empty the memory, between tests."""
    _known.clear()


def _told(may: May) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(may).items()}
