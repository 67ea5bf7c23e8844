"""Actions, what they were ordered as together, what is stopped by them, and what Baton may do unasked."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.policies.models import Policy
from orchestration.workspaces.models import Workspace


class Kind(models.TextChoices):
    QUARANTINE = "quarantine", "Quarantine"
    RELEASE = "release", "Release"
    PAUSE = "pause", "Pause"
    RESUME = "resume", "Resume"
    CANCEL = "cancel", "Cancel"
    REOPEN = "reopen", "Reopen"
    RETRY = "retry", "Retry"
    COMPENSATE = "compensate", "Compensate"
    NOTIFY = "notify", "Notify"
    REROUTE = "reroute", "Move work"
    RESTORE = "restore", "Move work back"
    VERIFY = "verify", "Ask for verification"
    SUPERVISE = "supervise", "Supervise"
    TRUST = "trust", "Trust again"


class Target(models.TextChoices):
    AGENT = "agent", "Agent"
    WORKFLOW = "workflow", "Workflow"
    RUN = "run", "Run"
    DECISION = "decision", "Decision"
    MESSAGE = "message", "Message"
    WORKSPACE = "workspace", "Workspace"


class Cause(models.TextChoices):
    PERSON = "person", "A person"
    RULE = "rule", "A rule"
    FINDING = "finding", "A finding"


class State(models.TextChoices):
    PROPOSED = "proposed", "Proposed"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Tried again later"
    DEAD = "dead", "Given up"
    UNDONE = "undone", "Undone"
    DECLINED = "declined", "Left as it was"


OPEN = (State.QUEUED, State.RUNNING, State.FAILED)


class Order(models.Model):
    """One press that asked for the same of many. How far it is, its actions tell."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    key = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    target_kind = models.CharField(max_length=10, choices=Target)
    narrowed: models.JSONField[Any, Any] = models.JSONField(default=dict)
    total = models.IntegerField()
    by = models.CharField(max_length=200)
    reason = models.CharField(max_length=400, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "key"], name="ordered_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.total} of {self.target_kind}"


class Action(models.Model):
    """Something Baton does. `due_at`: when it is to be tried; of a running one, when its lease ends and somebody else
    may. `fence` grows with each claim, so that who lost the lease writes nothing any more. `minutes`: how long what it
    does is to last. `waits`: of a running one, that its effect is on its way to a receiver; of one that is
    done, that an agent's answer to it is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    key = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    target_kind = models.CharField(max_length=10, choices=Target)
    target = models.CharField(max_length=64)
    name = models.CharField(max_length=300, help_text="Of the target, as it was called then")
    cause = models.CharField(max_length=8, choices=Cause)
    cause_id = models.CharField(max_length=300, blank=True, default="")
    by = models.CharField(max_length=200, help_text="Who ordered or proposed it, as the ledger names actors")
    reason = models.CharField(max_length=400, blank=True, default="")
    minutes = models.IntegerField(null=True, blank=True)
    told: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="What more it is to be done with")
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    attempts = models.IntegerField(default=0)
    fence = models.IntegerField(default=0)
    waits = models.BooleanField(default=False)
    due_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=200, blank=True, default="")
    result: models.JSONField[Any, Any] = models.JSONField(default=dict)
    error = models.CharField(max_length=300, blank=True, default="")
    order = models.ForeignKey(Order, null=True, blank=True, on_delete=models.SET_NULL, related_name="actions")
    again = models.ForeignKey(
        Order, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="In which it is tried anew"
    )
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="undone_by")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "key"], name="acted_once")]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="action_due", condition=Q(state__in=["queued", "running", "failed"])),
            models.Index(fields=["due_at"], name="action_answer", condition=Q(state="done", waits=True)),
            models.Index(fields=["workspace", "-created_at", "-id"], name="action_recent"),
            models.Index(fields=["workspace", "target_kind", "target", "-created_at"], name="action_of"),
            models.Index(
                fields=["workspace", "state"], name="action_attention", condition=Q(state__in=["proposed", "dead"])
            ),
            models.Index(
                fields=["workspace", "cause_id", "-created_at"], name="action_by_rule", condition=Q(cause="rule")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.state})"


class Stop(models.Model):
    """Who may not go on now. `names`: what asks may call it by, where its id does not tell. It ends with `until`, by an
    action, and not by being forgotten."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    kind = models.CharField(max_length=12, choices=Kind)  # quarantine | pause | cancel | supervise
    target_kind = models.CharField(max_length=10, choices=Target)
    target = models.CharField(max_length=64)
    names: ArrayField[list[str], list[str]] = ArrayField(models.TextField(), default=list)
    words = models.TextField(help_text="What an agent that asks is told")
    action = models.ForeignKey(Action, on_delete=models.CASCADE, related_name="stops")
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "kind", "target_kind", "target"], name="stopped_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_kind} {self.target}"


class Leave(models.TextChoices):
    OFF = "off", "Do nothing"
    PROPOSE = "propose", "Propose it to a person"
    APPLY = "apply", "Do it, and say so"


class Limits(models.Model):
    """What Baton may do unasked about an agent that runs away."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.CASCADE, related_name="limits")
    loops = models.CharField(max_length=7, choices=Leave, default=Leave.PROPOSE)
    repeats = models.IntegerField(default=4, help_text="So many times the same call in one run are a loop")
    spend = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True, help_text="Of one run")
    minutes = models.IntegerField(default=60, help_text="How long an agent that Baton paused by itself stays so")

    def __str__(self) -> str:
        return f"{self.loops} after {self.repeats}"


class Episode(models.Model):
    """A rule on a signal that holds of one thing, from when it began to until it has been clear for long enough: it
    acts once in it, however often it is seen. `cases`: what it holds of together, where those are several. `held_back`:
    why it has not acted. `shadow`: of a version that only watches."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="episodes")
    version = models.IntegerField()
    shadow = models.BooleanField(default=False)
    signal = models.CharField(max_length=20)
    target_kind = models.CharField(max_length=10)
    target = models.CharField(max_length=64)
    name = models.CharField(max_length=300)
    began_at = models.DateTimeField()
    last_at = models.DateTimeField(help_text="When it last held")
    clear_since = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    acted_at = models.DateTimeField(null=True, blank=True)
    seen = models.IntegerField(default=0)
    cases: ArrayField[list[str], list[str]] = ArrayField(models.TextField(), default=list)
    held_back = models.CharField(max_length=12, blank=True, default="")
    facts: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="When it acted, or would have")
    after: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="The newest")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["policy", "shadow", "target_kind", "target"],
                condition=Q(ended_at__isnull=True),
                name="one_open_episode",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "-began_at"], name="episode_recent"),
            models.Index(fields=["policy", "acted_at"], name="episode_acted", condition=Q(acted_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.signal} of {self.name}"
