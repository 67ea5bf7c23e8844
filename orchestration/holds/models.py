"""A hold: a question to a person, asked by a decision, by an agent, by telemetry or by Baton itself."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.workspaces.models import Workspace


class State(models.TextChoices):
    """`decided`: a person has answered and may still take it back; `applied`: agents have been told."""

    OPEN = "open", "Open"
    DECIDED = "decided", "Decided"
    APPLIED = "applied", "Applied"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


PENDING = (State.OPEN, State.DECIDED)


class Source(models.TextChoices):
    DECISION = "decision", "A decision"
    AGENT = "agent", "An agent"
    TELEMETRY = "telemetry", "Telemetry"
    FAILURE = "failure", "A failure"


class Answered(models.TextChoices):
    APPROVE = "approve", "Approve"
    REJECT = "reject", "Reject"
    AMEND = "amend", "Change and approve"
    MORE = "more", "Ask for more"


class HoldQuerySet(models.QuerySet["Hold"]):
    def open(self) -> HoldQuerySet:
        return self.filter(state=State.OPEN)

    def pending(self) -> HoldQuerySet:
        """As agents see it: a verdict that may still be taken back is none yet."""
        return self.filter(state__in=PENDING)


class Hold(models.Model):
    """`revision` grows with each change of state: who decides says which one was looked at (TRUST 2.8)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="holds")
    source = models.CharField(max_length=9, choices=Source)
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    revision = models.IntegerField(default=0, db_default=0)
    decision_id = models.UUIDField(null=True, blank=True)
    key = models.TextField(blank=True, default="", help_text="Idempotency key of whoever asked")
    digest = models.BinaryField(
        null=True, blank=True, max_length=32, help_text="SHA-256 of what was asked with the key"
    )
    agent = models.TextField()
    application = models.TextField(blank=True, default="")
    run = models.TextField(blank=True, default="", help_text="As the caller named it")
    run_id = models.UUIDField(null=True, blank=True)
    step = models.TextField(blank=True, default="")
    question = models.TextField()
    proposal = models.TextField()
    why = models.TextField()
    evidence: models.JSONField[Any, Any] = models.JSONField(default=list)
    cost_of_waiting = models.TextField(blank=True, default="")
    reversible = models.BooleanField(null=True)
    policy_id = models.UUIDField(null=True, blank=True)
    policy = models.TextField(blank=True, default="", help_text="Slug of the policy that asks")
    version = models.IntegerField(null=True, blank=True)
    skill = models.TextField(blank=True, default="")
    people = models.SmallIntegerField(default=1)
    first: models.JSONField[Any, Any] = models.JSONField(
        null=True, blank=True, help_text="Where two have to approve: what the first one said, hidden from the second"
    )
    on_timeout = models.CharField(max_length=6, default="remind")
    opened_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True, blank=True)
    batch = models.UUIDField(null=True, blank=True)
    looked = models.IntegerField(
        null=True, blank=True, help_text="The revision that the reviewers' screens have seen (`placing`)"
    )
    precedent_id = models.UUIDField(
        null=True, blank=True, help_text="By which Baton answered it itself, as the policy allows (`as_before`)"
    )
    verdict = models.CharField(max_length=7, choices=Answered, blank=True, default="")
    amend: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    apply_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    forgotten_at = models.DateTimeField(null=True, help_text="Since when its words are gone")

    objects = HoldQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "key"], condition=~Q(key=""), name="one_hold_a_key"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "opened_at"], name="hold_open", condition=Q(state="open")),
            models.Index(
                fields=["workspace", "agent", "application"],
                name="hold_pending",
                condition=Q(state__in=["open", "decided"]),
            ),
            models.Index(fields=["apply_at"], name="hold_decided", condition=Q(state="decided")),
            models.Index(fields=["due_at"], name="hold_due", condition=Q(state="open")),
            models.Index(
                fields=["workspace", "opened_at"], include=["verdict", "run_id", "precedent_id"], name="hold_asked"
            ),
            models.Index(
                fields=["workspace", "opened_at"], name="hold_as_before", condition=Q(precedent_id__isnull=False)
            ),
            models.Index(
                fields=["workspace", "id"], name="hold_news", condition=Q(looked=None) | Q(looked__lt=F("revision"))
            ),
            models.Index(
                fields=["workspace", "opened_at"],
                name="hold_words",
                condition=Q(forgotten_at=None) & ~Q(state__in=["open", "decided"]),
            ),
            models.Index(fields=["workspace", "run_id"], name="hold_run", condition=Q(run_id__isnull=False)),
            models.Index(fields=["workspace", "run"], name="hold_run_named", condition=~Q(run="")),
            models.Index(fields=["workspace", "decision_id"], name="hold_decision"),
            models.Index(
                fields=["workspace", "decided_at"], name="hold_answered", condition=Q(decided_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.question[:60]} ({self.state})"


class Capacity(models.Model):
    """How much reviewers of a workspace can bear, as their pages last wrote it (`capacity.note`). `minutes_a_day`: of
    all of them, as the mean of the seven days of a week; `case_seconds`: the median of what a case took, of `measured`
    ones."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.CASCADE, related_name="+")
    people = models.IntegerField(default=0)
    minutes_a_day = models.FloatField(default=0.0)
    case_seconds = models.FloatField(null=True, blank=True)
    measured = models.IntegerField(default=0)
    as_of = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "capacities"

    def __str__(self) -> str:
        return f"{self.people} people, {self.minutes_a_day:.0f} minutes a day"
