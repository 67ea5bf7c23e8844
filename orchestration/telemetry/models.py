"""What arrives, what is kept of it, and what is counted.

The big tables name their workspace and nothing else by foreign key (without a database constraint, which would cost
a trigger for each row), so that they can be distributed by workspace. Spans and logs are partitioned by day of their
start; `0002` makes those two in SQL. Figures are additive: counts, sums and log-bucket histograms, never averages.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from orchestration.workspaces.models import Workspace

BUCKETS = 96  # the histogram's columns, see lib.stats


def workspace_value() -> models.ForeignKey[Any, Any]:
    """The workspace of a big table's row: a value in its key, checked by the code that writes it."""
    return models.ForeignKey(Workspace, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)


class Signal(models.IntegerChoices):
    TRACES = 1
    LOGS = 2
    EVENTS = 3


class Delivery(models.Model):
    """One received request as it came, until the digest has stored what is in it. Lives for seconds."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    workspace = workspace_value()
    id = models.UUIDField()
    key = models.IntegerField(null=True)
    signal = models.SmallIntegerField(choices=Signal)
    encoding = models.CharField(max_length=8)  # protobuf | json
    compression = models.CharField(max_length=8)  # "" | gzip | zstd | deflate
    items = models.IntegerField(help_text="Spans, records or events accepted")
    received_at = models.DateTimeField(db_default=Now())
    attempts = models.SmallIntegerField(db_default=0)
    poisoned_at = models.DateTimeField(null=True)
    fault = models.CharField(max_length=200, db_default="")
    body = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(items__gte=0), name="items_not_negative")]

    def __str__(self) -> str:
        return str(self.id)


class Span(models.Model):
    """One span, written once and never changed. Agent and system are those it names itself (0: none)."""

    pk = models.CompositePrimaryKey("workspace_id", "started_at", "trace_id", "span_id")
    workspace = workspace_value()
    started_at = models.DateTimeField()
    trace_id = models.BinaryField(max_length=16)
    span_id = models.BinaryField(max_length=8)
    parent_id = models.BinaryField(max_length=8, null=True)
    ended_at = models.DateTimeField(null=True)
    application_id = models.IntegerField()
    agent_id = models.IntegerField()
    system_id = models.IntegerField()
    kind = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    claimed = models.BooleanField()  # names an agent that its key does not vouch for
    name = models.TextField()
    subject = models.TextField()
    workflow = models.TextField(null=True)
    conversation = models.TextField(null=True)
    tokens_in = models.IntegerField()
    tokens_out = models.IntegerField()
    cost = models.BigIntegerField(null=True)  # billionths of the workspace's currency
    error = models.TextField(null=True)
    hints = models.JSONField(null=True)
    attrs = models.JSONField()

    class Meta:
        managed = True

    def __str__(self) -> str:
        return self.name


class LogRecord(models.Model):
    """A log record that is a GenAI event. `id` is a hash of what it says, so that a repeat is the same row."""

    pk = models.CompositePrimaryKey("workspace_id", "at", "id")
    workspace = workspace_value()
    at = models.DateTimeField()
    id = models.BinaryField(max_length=16)
    trace_id = models.BinaryField(max_length=16, null=True)
    span_id = models.BinaryField(max_length=8, null=True)
    application_id = models.IntegerField()
    name = models.TextField()
    attrs = models.JSONField()

    def __str__(self) -> str:
        return self.name


class Figures(models.Model):
    """Columns of a rollup row over spans. `ms` is the sum of durations, b00… their histogram (lib.stats)."""

    workspace = workspace_value()
    at = models.DateTimeField()
    application_id = models.IntegerField()
    agent_id = models.IntegerField()
    system_id = models.IntegerField()
    kind = models.SmallIntegerField()
    n = models.IntegerField()
    errors = models.IntegerField()
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    cost = models.BigIntegerField()
    ms = models.BigIntegerField()
    for _i in range(BUCKETS):
        locals()[f"b{_i:02d}"] = models.IntegerField(null=True)
    del _i

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.at}"


class SpanMinute(Figures):
    """Spans counted by the minute of their start."""

    pk = models.CompositePrimaryKey("workspace_id", "at", "application_id", "agent_id", "system_id", "kind")


class SpanHour(Figures):
    """The same by hour, recomputed from minutes whenever one of them was touched (`TouchedHour`)."""

    pk = models.CompositePrimaryKey("workspace_id", "at", "application_id", "agent_id", "system_id", "kind")


class SpanDay(Figures):
    """The same by day (UTC), recomputed from hours whenever one of them was."""

    pk = models.CompositePrimaryKey("workspace_id", "at", "application_id", "agent_id", "system_id", "kind")


class TouchedHour(models.Model):
    """An hour whose minutes have changed. Insert-only, one row a writer: nobody waits for a hot row, and a change that
    is not committed yet keeps a row of its own for the next sweep."""

    id = models.BigAutoField(primary_key=True)
    workspace = workspace_value()
    table = models.CharField(max_length=20)  # which rollup: span | workflow
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.table} {self.at}"


class Pulse(models.Model):
    """When an agent was last heard, and how long it usually is not: the source of its state."""

    pk = models.CompositePrimaryKey("workspace_id", "agent_id")
    workspace = workspace_value()
    agent_id = models.IntegerField()
    heard_at = models.DateTimeField()  # server time of receipt
    trace_id = models.BinaryField(max_length=16, null=True)  # of the newest step heard of
    step = models.TextField(default="")
    step_at = models.DateTimeField(null=True)
    gaps: ArrayField[list[int], list[int]] = ArrayField(models.IntegerField(), default=list)  # histogram of gaps

    def __str__(self) -> str:
        return f"agent {self.agent_id}"


class Intake(models.Model):
    """What came in, by the minute of receipt: the digest books it in the transaction that stores the rows."""

    pk = models.CompositePrimaryKey("workspace_id", "at")
    workspace = workspace_value()
    at = models.DateTimeField()
    requests = models.IntegerField()
    accepted = models.IntegerField()  # acknowledged spans, repeats included
    digested = models.IntegerField()  # new rows
    lag_ms = models.BigIntegerField()  # sum over requests, receipt to digested

    def __str__(self) -> str:
        return f"{self.at}"


class Refusal(models.Model):
    """What was not taken and why, by minute. `workspace_id` 0 where no key told whose it was."""

    pk = models.CompositePrimaryKey("workspace_id", "at", "reason")
    workspace = workspace_value()
    at = models.DateTimeField()
    reason = models.CharField(max_length=60)
    n = models.BigIntegerField()

    def __str__(self) -> str:
        return self.reason
