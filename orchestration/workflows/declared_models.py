"""Workflows that Baton itself coordinates: what they say, in versions that stand; their runs, tasks and effects.

`DeclaredRun`, `Task` and `Effect` are big tables: their workspace is in the key, and they name each other by value. A
declared run has the id of the `Run` that pages show, which is told, like any other, from events (`reporting`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.telemetry.models import workspace_value
from orchestration.workspaces.models import Workspace


class WorkflowDefinition(models.Model):
    """A declared workflow; its versions say what it does. It has the name of the `Workflow` that its runs are of."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "name"], name="one_definition_a_name")]

    def __str__(self) -> str:
        return self.name


class DefinitionState(models.TextChoices):
    DRAFT = "draft", "Draft"
    LIVE = "live", "Live"
    RETIRED = "retired", "Retired"


class Origin(models.TextChoices):
    WRITTEN = "written", "Written"
    LEARNT = "learnt", "Learnt from runs"


class DefinitionVersion(models.Model):
    """`body` is `Definition.stored()`; once it is no draft any more, it stands for good: runs keep their version."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    definition = models.ForeignKey(WorkflowDefinition, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    state = models.CharField(max_length=7, choices=DefinitionState, default=DefinitionState.DRAFT)
    body: models.JSONField[Any, Any] = models.JSONField()
    digest = models.CharField(max_length=64)
    origin = models.CharField(max_length=7, choices=Origin, default=Origin.WRITTEN)
    author = models.CharField(max_length=200, help_text="As the ledger names actors")
    reason = models.CharField(max_length=400, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    live_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    proposed_by = models.CharField(max_length=200, blank=True, default="", help_text="Who asked a second person")
    proposed_for = models.CharField(max_length=7, blank=True, default="", help_text="The state that was asked for")
    proposed_reason = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "number"], name="one_number_a_definition"),
            models.UniqueConstraint(fields=["definition"], condition=Q(state="live"), name="one_live_definition"),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} version {self.number} ({self.state})"


class DeclaredState(models.TextChoices):
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    UNDOING = "undoing", "Being rolled back"
    UNDONE = "undone", "Rolled back"  # as far as could be: the effects say


class DeclaredRun(models.Model):
    """One execution. `key` and `digest` tell a start that comes twice; its row is locked by whoever moves it on."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    workspace = workspace_value()
    id = models.UUIDField(default=uuid7)
    version_id = models.UUIDField()
    workflow = models.TextField()
    title = models.TextField(default="")
    key = models.TextField(default="")
    digest = models.CharField(max_length=64, default="")
    input: models.JSONField[Any, Any] = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=DeclaredState, default=DeclaredState.RUNNING)
    retries_left = models.IntegerField()
    effects = models.IntegerField(default=0, help_text="How many were registered: the next one's number")
    by = models.TextField(help_text="Who started it, as the ledger names actors")
    error = models.TextField(default="")
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    undo_by = models.TextField(default="")
    undo_reason = models.TextField(default="")
    cancel_told = models.BooleanField(default=False, help_text="The run that pages show is marked as cancelled")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "key"], condition=~Q(key=""), name="started_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "version_id", "-started_at"], name="declared_of"),
            models.Index(
                fields=["ended_at"], name="declared_untold", condition=Q(state="cancelled", cancel_told=False)
            ),
            models.Index(fields=["started_at"], name="declared_undoing", condition=Q(state="undoing")),
            models.Index(
                fields=["workspace", "version_id"],
                name="declared_going",
                condition=Q(state__in=["running", "undoing"]),
            ),
            models.Index(
                fields=["workspace", "version_id", "-started_at"],
                name="declared_ended_badly",
                condition=Q(state__in=["failed", "cancelled", "undone", "undoing"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.id} ({self.state})"


class TaskState(models.TextChoices):
    BLOCKED = "blocked", "Waits for other steps"
    READY = "ready", "Waits for somebody to take it"
    LEASED = "leased", "In work"
    ASKED = "asked", "Waits for a person"
    CALLED = "called", "Waits for an address"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"
    CANCELLED = "cancelled", "Cancelled"


class Task(models.Model):
    """One step of one run, or what takes back one effect of it (`undoes`). `due_at`: of a ready one, from when it may
    be taken; of one in work, when the clocks look at it. `limit_at`: when this attempt, or waiting for somebody to take
    it, has lasted too long. `fence` grows with each lease, so that who lost it writes nothing any more."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    workspace = workspace_value()
    id = models.UUIDField(default=uuid7)
    run_id = models.UUIDField()
    workflow = models.TextField(default="")
    step = models.TextField()
    undoes = models.UUIDField(null=True)
    owner_kind = models.CharField(max_length=7)
    owner = models.TextField()
    state = models.CharField(max_length=9, choices=TaskState, default=TaskState.BLOCKED)
    attempt = models.IntegerField(default=0)
    retries = models.IntegerField(default=0)
    fence = models.IntegerField(default=0)
    holder = models.TextField(default="")
    key_id = models.IntegerField(null=True, help_text="Of whoever leased it")
    hold_id = models.UUIDField(null=True)
    due_at = models.DateTimeField(default=timezone.now)
    limit_at = models.DateTimeField(null=True)
    lease_s = models.FloatField(default=30, help_text="Silence after which a lease ends")
    time_limit_s = models.FloatField(default=600, help_text="Of one attempt")
    result: models.JSONField[Any, Any] = models.JSONField(default=dict)
    error_class = models.TextField(default="")
    error = models.TextField(default="")
    ready_at = models.DateTimeField(null=True)
    leased_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "run_id", "step"], condition=Q(undoes=None), name="one_task_a_step"
            ),
            models.UniqueConstraint(
                fields=["workspace", "undoes"], condition=~Q(undoes=None), name="one_task_an_effect"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["workspace", "owner_kind", "owner", "due_at"], name="task_ready", condition=Q(state="ready")
            ),
            models.Index(fields=["due_at"], name="task_due", condition=Q(state__in=["leased", "asked", "called"])),
            models.Index(
                fields=["limit_at"], name="task_unclaimed", condition=Q(state="ready") & Q(limit_at__isnull=False)
            ),
            models.Index(
                fields=["due_at"], name="task_driven", condition=Q(state="ready", owner_kind__in=["human", "webhook"])
            ),
            models.Index(fields=["workspace", "run_id"], name="task_run"),
            models.Index(fields=["hold_id"], name="task_hold", condition=Q(state="asked")),
        ]

    def __str__(self) -> str:
        return f"{self.step} ({self.state})"


class EffectState(models.TextChoices):
    DONE = "done", "Done"
    ASKED = "asked", "Being undone"
    UNDONE = "undone", "Undone"
    FAILED = "failed", "Could not be undone"
    KEPT = "kept", "Cannot be undone"


class Effect(models.Model):
    """Something that a step did and that may have to be taken back; `number` is the order in which they were done."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    workspace = workspace_value()
    id = models.UUIDField(default=uuid7)
    run_id = models.UUIDField()
    number = models.IntegerField()
    step = models.TextField()
    name = models.TextField()
    key = models.TextField(help_text="By which the receiver knows that it was asked before")
    data: models.JSONField[Any, Any] = models.JSONField(default=dict)
    state = models.CharField(max_length=6, choices=EffectState, default=EffectState.DONE)
    error = models.TextField(default="")
    done_at = models.DateTimeField(default=timezone.now)
    asked_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "run_id", "number"], name="one_effect_a_number")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"
