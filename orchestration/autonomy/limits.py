"""What Baton may do unasked, as an admin set it, with the receipt of each change."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from orchestration.autonomy.models import Leave, Limits
from orchestration.ledger import entries
from orchestration.lib.remembering import Remembered
from orchestration.workspaces.models import User, Workspace

FRESH_S = 3.0  # so long a process goes by what it read


@dataclass(frozen=True, slots=True)
class Allowed:
    loops: str = Leave.PROPOSE.value
    repeats: int = 4
    spend: Decimal | None = None  # of one run, in the workspace's currency
    minutes: int = 60


_known: Remembered[int, Allowed] = Remembered(FRESH_S)


def allowed(workspace_id: int) -> Allowed:
    row = Limits.objects.filter(workspace_id=workspace_id).first()
    return Allowed(row.loops, row.repeats, row.spend, row.minutes) if row else Allowed()


def remembered(workspace_id: int) -> Allowed:
    """The same for who asks many times a second."""
    return _known.of(workspace_id, lambda: allowed(workspace_id))


@transaction.atomic
def allow(workspace: Workspace, wanted: Allowed, by: User) -> bool:
    """False when it was so before."""
    before = allowed(workspace.pk)
    if before == wanted:
        return False
    Limits.objects.update_or_create(workspace=workspace, defaults=asdict(wanted))
    told = {"after": _told(wanted), "before": _told(before)}
    subject, actor = ("workspace", workspace.slug), f"person:{by.get_username()}"
    entries.record(workspace.pk, "limits.changed", subject, actor, told, timezone.now())
    _known.drop(workspace.pk)
    return True


def forget() -> None:
    """Empty the memory, between tests."""
    _known.clear()


def _told(limits: Allowed) -> dict[str, str | int | None]:
    return asdict(limits) | {"spend": str(limits.spend.normalize()) if limits.spend is not None else None}
