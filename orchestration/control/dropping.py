"""What would be forgotten if data were kept for fewer days: the question that is asked before it happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from orchestration.autonomy import forgetting as acts
from orchestration.control.usage import IS_SPAN
from orchestration.handoffs import forgetting as coordination
from orchestration.holds.forgetting import old_words
from orchestration.policies.models import Decision
from orchestration.telemetry import sums
from orchestration.telemetry.rollups import SPANS
from orchestration.workflows.models import Run
from orchestration.workspaces.models import Workspace
from orchestration.workspaces.ways import Keeping


@dataclass(frozen=True, slots=True)
class Loss:
    """One kind of data that goes with the next hourly round."""

    kind: str  # spans | runs | acts of Baton | decisions | questions | handoffs
    n: int
    before: datetime  # what began before this


def losses(workspace: Workspace, wanted: Keeping, now: datetime) -> list[Loss]:
    """What is there today and would not be kept; nothing where `wanted` keeps as much as now or more."""
    found = []
    if wanted.span_days < workspace.span_days:
        oldest, before = _first_day(workspace.span_days, now), _first_day(wanted.span_days, now)
        found.append(Loss("spans", _spans(workspace.pk, oldest, before), before))
    if wanted.run_days < workspace.run_days:
        before = now - timedelta(days=wanted.run_days)
        runs = Run.objects.filter(workspace_id=workspace.pk, started_at__lt=before).count()
        found.append(Loss("runs", runs, before))
        if old := acts.old(workspace.pk, before).count():
            found.append(Loss("acts of Baton", old, before))
    if wanted.decision_days < workspace.decision_days:
        before = now - timedelta(days=wanted.decision_days)
        whole = Decision.objects.filter(workspace_id=workspace.pk, forgotten_at=None, at__lt=before)
        late = Q(received_at=None) | Q(received_at__lt=before)
        found.append(Loss("decisions", whole.filter(late).count(), before))
        found.append(Loss("questions", old_words(workspace.pk, before), before))
        found.append(Loss("handoffs", coordination.old_words(workspace.pk, before), before))
    return found


def _first_day(span_days: int, now: datetime) -> datetime:
    """Spans are dropped by whole days (UTC), the day of the limit stays."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=span_days + 1)


def _spans(workspace_id: int, since: datetime, until: datetime) -> int:
    """Out of figures, which outlive spans: counting spans would read every one of them."""
    rows = sums.stretch(SPANS, workspace_id, since, until, ("n", "kind"))
    return sums.count(sums.grouped(rows, (), "sum(n)", IS_SPAN)[0][0])
