"""What is kept of runs that are over, so that learning and conformance need not read their spans again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from orchestration.telemetry.models import workspace_value


class TrailRow(models.Model):
    """What was done in one run, at both levels, as it stood at `revision` of the run (`kept_trails`). A level that is
    too long to be looked at is empty (null). A big table: its run is named by value."""

    pk = models.CompositePrimaryKey("workspace_id", "run_id")
    workspace = workspace_value()
    run_id = models.UUIDField()
    workflow_id = models.IntegerField()
    started_at = models.DateTimeField()
    status = models.CharField(max_length=10)
    revision = models.IntegerField()
    acts = models.BinaryField(null=True)
    turns = models.BinaryField(null=True)
    agents: models.JSONField[list[list[str]], list[list[str]]] = models.JSONField(
        default=list, help_text="Who took part, by name and version, as far as spans tell one"
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "workflow_id", "-started_at", "-run_id"], name="trail_flow"),
            models.Index(
                fields=["workspace", "workflow_id", "-started_at", "-run_id"],
                name="trail_completed",
                condition=Q(status="completed"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} ({self.status})"
