"""Handoffs as rows: who passed work to whom, in which run, and how that was seen."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from orchestration.telemetry.models import workspace_value


class Handoff(models.Model):
    """One agent passing work to another. The handoffs of a run are rewritten when it is settled again."""

    pk = models.CompositePrimaryKey("workspace_id", "run_id", "place")
    workspace = workspace_value()
    run_id = models.UUIDField()
    place = models.IntegerField()
    at = models.DateTimeField()
    from_agent_id = models.IntegerField()
    to_agent_id = models.IntegerField()
    rule = models.CharField(max_length=20)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "at"], name="handoff_at")]

    def __str__(self) -> str:
        return f"{self.from_agent_id} to {self.to_agent_id}"
