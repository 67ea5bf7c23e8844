"""Workflows whose agents are told to coordinate, and what was counted in their runs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from orchestration.telemetry.models import workspace_value
from orchestration.workflows.models import Workflow
from orchestration.workspaces.models import Workspace


class Coordination(models.Model):
    """Agents of runs that begin after `since`, and before `until` where it was switched off again, are to coordinate.
    What went before is counted from `counted_from`."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    workflow = models.OneToOneField(Workflow, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    counted_from = models.DateTimeField()
    by = models.CharField(max_length=200)
    reason = models.TextField(blank=True, default="")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(until=None) | Q(until__gte=F("since")), name="ends_after_it_begins")
        ]

    def __str__(self) -> str:
        return f"{self.workflow} since {self.since}"

    @property
    def on(self) -> bool:
        return self.until is None


class Mess(models.Model):
    """What agents got in each other's way with in a run that is over; written anew when the run was settled again
    (`revision`). The kinds are those of `handoffs.mess`."""

    pk = models.CompositePrimaryKey("workspace_id", "run_id")
    workspace = workspace_value()
    run_id = models.UUIDField()
    workflow_id = models.IntegerField()
    at = models.DateTimeField(help_text="When the run began")
    revision = models.IntegerField()
    looked = models.IntegerField()
    lost_ms = models.BigIntegerField()
    asked = models.IntegerField()
    timed_out = models.IntegerField()
    differed = models.IntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "workflow_id", "at"], name="mess_of_workflow")]

    def __str__(self) -> str:
        return str(self.run_id)
