"""Processes, their runs, and the traces and steps that runs are told by.

Big tables (Trace, TraceKey, Run, Step, figures) hold their workspace in the key and no other foreign key.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone

from orchestration.telemetry.models import BUCKETS, workspace_value
from orchestration.workflows import declared_models, trail_models, trigger_models  # noqa: F401  for Django to find
from orchestration.workspaces.models import Workspace


class Workflow(models.Model):
    """A process, known by the name its runs carry."""

    id = models.AutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    name = models.CharField(max_length=256)
    slug = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    asks_when_failed = models.BooleanField(
        default=False, db_default=False, help_text="A run that failed for good is a question to a person"
    )
    alone_target = models.FloatField(
        null=True, blank=True, help_text="Share of its runs that are to end without a person, 0 to 1"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "name"], name="one_workflow_a_name"),
            models.UniqueConstraint(fields=["workspace", "slug"], name="one_workflow_a_slug"),
        ]

    def __str__(self) -> str:
        return self.name


class StepName(models.Model):
    """A kind of step inside a workflow, as figures count it: what is done and who does it."""

    id = models.AutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE)
    name = models.CharField(max_length=256)
    owner = models.CharField(max_length=256)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "workflow", "name", "owner"], name="one_step_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class Trace(models.Model):
    """What is known of a trace without reading its spans, and when it is to be settled next (`due_at`, empty: not).

    The digest adds to it; settling gives it its run. A conversation of the events API is a trace too, its id a hash.
    """

    pk = models.CompositePrimaryKey("workspace_id", "trace_id")
    workspace = workspace_value()
    trace_id = models.BinaryField(max_length=16)
    run_id = models.UUIDField(null=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    received_at = models.DateTimeField()
    spans = models.IntegerField()
    root_came = models.BooleanField()
    conversation = models.TextField(null=True, help_text="Its root's")
    due_at = models.DateTimeField(null=True)
    settled_spans = models.IntegerField(db_default=0)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "due_at"], name="trace_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["workspace", "run_id"], name="trace_run", condition=Q(run_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return bytes(self.trace_id).hex()


class TraceKey(models.Model):
    """A key that ties traces to one run (`stitch`): a run id of the caller, a link, a runtime's id; or `conversation`,
    once a run that waited for a person was seen to go on."""

    pk = models.CompositePrimaryKey("workspace_id", "kind", "key", "trace_id")
    workspace = workspace_value()
    kind = models.CharField(max_length=16)
    key = models.TextField()
    trace_id = models.BinaryField(max_length=16)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "trace_id"], name="tracekey_trace")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class RunStatus(models.TextChoices):
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    STALLED = "stalled", "Stalled"
    CANCELLED = "cancelled", "Cancelled"


class Run(models.Model):
    """One execution of a workflow, with the figures that the fold computed from its steps. Rewritten as a whole each
    time it is settled, but for `cancelled_at`, which no span tells; `merged_into` leads from an id that was given out
    to the run that took its traces."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    workspace = workspace_value()
    id = models.UUIDField()
    workflow_id = models.IntegerField()
    title = models.TextField()
    status = models.CharField(max_length=10, choices=RunStatus)
    root_said_ok = models.BooleanField()
    conversation = models.TextField(null=True)
    external_key = models.TextField(null=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    heard_at = models.DateTimeField(help_text="Server time of the newest receipt")
    duration_ms = models.BigIntegerField()
    active_ms = models.BigIntegerField()
    spans = models.IntegerField()
    errors = models.IntegerField()
    retries = models.IntegerField()
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    cost = models.BigIntegerField(null=True)  # billionths of the workspace's currency
    tool_calls = models.IntegerField()
    tool_failures = models.IntegerField()
    handoffs = models.IntegerField()
    escalations = models.IntegerField()
    guardrail_hits = models.IntegerField()
    orphans = models.IntegerField()
    twins = models.IntegerField(help_text="Spans whose ids came again with another start")
    agents: ArrayField[list[int], list[int]] = ArrayField(models.IntegerField())
    revision = models.IntegerField(help_text="How often it was settled")
    late = models.BooleanField(default=False, help_text="Spans came after it had ended")
    merged_into = models.UUIDField(null=True)
    cancelled_at = models.DateTimeField(null=True, help_text="By a person or a rule")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "-started_at", "-id"], name="run_started"),
            models.Index(fields=["workspace", "workflow_id", "-started_at", "-id"], name="run_workflow"),
            # a month is listed by these without being read: one for each order of `runs.SORTS`, and the slowest of one
            models.Index(fields=["workspace", "-duration_ms", "-id"], name="run_took"),
            models.Index(fields=["workspace", "-spans", "-id"], name="run_steps"),
            models.Index(fields=["workspace", "-errors", "-id"], name="run_errors"),
            models.Index(fields=["workspace", "workflow_id", "-duration_ms", "-id"], name="run_workflow_took"),
            models.Index(
                fields=["workspace", "heard_at"], name="run_open", condition=Q(status__in=["running", "waiting"])
            ),
            models.Index(
                fields=["workspace", "conversation", "started_at"],
                name="run_conversation",
                condition=Q(conversation__isnull=False),
            ),
            models.Index(fields=["workspace", "started_at"], name="run_late", condition=Q(late=True)),
            models.Index(fields=["workspace", "started_at"], name="run_stalled", condition=Q(status="stalled")),
            GinIndex(fields=["agents"], name="run_agents"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class RunBooking(models.Model):
    """What settling a run has added to the figures so far, so that settling it again books the difference."""

    pk = models.CompositePrimaryKey("workspace_id", "run_id")
    workspace = workspace_value()
    run_id = models.UUIDField()
    body = models.BinaryField()

    def __str__(self) -> str:
        return str(self.run_id)


class Step(models.Model):
    """A step sent by the events API (or of a declared workflow). Observed steps are spans. `key` "" is the run."""

    pk = models.CompositePrimaryKey("workspace_id", "trace_id", "key")
    workspace = workspace_value()
    trace_id = models.BinaryField(max_length=16)
    key = models.TextField()
    parent = models.TextField(default="")
    kind = models.SmallIntegerField()
    name = models.TextField()
    workflow = models.TextField(null=True)
    application_id = models.IntegerField()
    agent_id = models.IntegerField()
    system_id = models.IntegerField()
    claimed = models.BooleanField(default=False)
    outcome = models.SmallIntegerField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reopened_at = models.DateTimeField(null=True, help_text="Of a run: an end before this does not count any more")
    error = models.TextField(null=True)
    tokens_in = models.IntegerField(default=0)
    tokens_out = models.IntegerField(default=0)
    cost = models.BigIntegerField(null=True)
    attrs = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class Measure(models.IntegerChoices):
    """What a row of `WorkflowMinute` observes: of a whole run (step 0), or of one of its steps."""

    DURATION = 0  # start to end; n = runs ended, failed = of these
    AGENTS = 1  # time in which an agent or system worked
    PEOPLE = 2  # … a person
    WAITING = 3  # … nobody
    ESCALATED = 4  # n = runs that asked a person, ms = escalations
    WORK = 5  # of a step: own time not covered by children
    WAIT = 6  # of a step: since the last thing it depended on ended; only where there was some
    RETRY = 7  # of a step: work in attempts after the first, part of WORK


class Pace(models.Model):
    """Columns of a figure row over runs, by the minute in which they ended."""

    workspace = workspace_value()
    at = models.DateTimeField()
    workflow_id = models.IntegerField()
    step_id = models.IntegerField()
    measure = models.SmallIntegerField(choices=Measure)
    n = models.IntegerField()
    failed = models.IntegerField()
    ms = models.BigIntegerField()
    for _i in range(BUCKETS):
        locals()[f"b{_i:02d}"] = models.IntegerField(null=True)
    del _i

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.at}"


class WorkflowMinute(Pace):
    pk = models.CompositePrimaryKey("workspace_id", "at", "workflow_id", "step_id", "measure")


class WorkflowHour(Pace):
    pk = models.CompositePrimaryKey("workspace_id", "at", "workflow_id", "step_id", "measure")


class WorkflowDay(Pace):
    pk = models.CompositePrimaryKey("workspace_id", "at", "workflow_id", "step_id", "measure")
