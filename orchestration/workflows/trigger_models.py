"""What starts runs of declared workflows by itself, and each time that it did or should have."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.workflows.declared_models import WorkflowDefinition
from orchestration.workspaces.models import Workspace


class WorkflowTrigger(models.Model):
    """One trigger of a workflow, the same from version to version as long as it says the same (`digest`). `live`: the
    version in force has it. `since`: what happened before starts nothing. `next_at`: of a schedule that goes on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    definition = models.ForeignKey(WorkflowDefinition, on_delete=models.CASCADE, related_name="triggers")
    digest = models.CharField(max_length=64)
    on = models.CharField(max_length=8)
    body: models.JSONField[Any, Any] = models.JSONField(help_text="`Trigger.stored()`")
    live = models.BooleanField(default=True)
    since = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=200, blank=True, default="")
    pause_reason = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["definition", "digest"], name="one_trigger_a_text")]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], name="trigger_due", condition=Q(next_at__isnull=False)),
            models.Index(fields=["workspace", "on"], name="trigger_live", condition=Q(live=True)),
        ]

    def __str__(self) -> str:
        return f"{self.on} of {self.definition_id}"


class FiringState(models.TextChoices):
    WAITING = "waiting", "About to start"
    STARTED = "started", "Started"
    MISSED = "missed", "Missed"
    REFUSED = "refused", "Not started"
    LIMITED = "limited", "Over the limit"


class Firing(models.Model):
    """One occurrence of a trigger: there is one row for it for good, so it starts one run however often it is found.
    A missed one may stand for several (`count`), from `due_at` to `until`. `depth`: how many triggers in a row led to
    it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    trigger = models.ForeignKey(WorkflowTrigger, on_delete=models.CASCADE, related_name="firings")
    occurrence = models.CharField(max_length=100)
    state = models.CharField(max_length=8, choices=FiringState, default=FiringState.WAITING)
    due_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    count = models.IntegerField(default=1)
    depth = models.IntegerField(default=1)
    told: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="What happened, as the run is told")
    run_id = models.UUIDField(null=True, blank=True)
    error = models.CharField(max_length=400, blank=True, default="")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["trigger", "occurrence"], name="one_firing_a_time")]
        indexes: ClassVar = [
            models.Index(fields=["at"], name="firing_waiting", condition=Q(state="waiting")),
            models.Index(fields=["trigger", "-at"], name="firing_newest"),
            models.Index(fields=["workspace", "run_id"], name="firing_run", condition=Q(run_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.occurrence} ({self.state})"
