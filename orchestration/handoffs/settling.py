"""Runs that were not known when somebody named them: their handoffs and claims are tied to them once they are."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from orchestration.handoffs.models import Claim, Envelope
from orchestration.workflows.run_search import find_run

LOOKED_FOR = timedelta(minutes=15)
AT_ONCE = 200


def settle() -> int:
    """Returns how many names of runs were found."""
    since, found = timezone.now() - LOOKED_FOR, 0
    for model, at in ((Envelope, "sent_at"), (Claim, "since")):
        rows = model._default_manager.filter(**{"run_id": None, f"{at}__gte": since})
        for workspace_id, run in rows.values_list("workspace_id", "run").distinct()[:AT_ONCE]:
            run_id = find_run(workspace_id, run)
            if run_id:
                rows.filter(workspace_id=workspace_id, run=run).update(run_id=run_id)
                found += 1
    return found
