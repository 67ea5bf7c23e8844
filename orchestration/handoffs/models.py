"""Handoffs as rows: those that telemetry shows, those that agents declare, what a pair needs in one, and claims."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.handoffs import mess_models  # noqa: F401  Django looks for models here
from orchestration.telemetry.models import workspace_value
from orchestration.workspaces.models import Workspace


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


class PairHour(models.Model):
    """How many of these rows lie in an hour, by who gave and who took."""

    pk = models.CompositePrimaryKey("workspace_id", "at", "from_agent_id", "to_agent_id")
    workspace = workspace_value()
    at = models.DateTimeField()
    from_agent_id = models.IntegerField()
    to_agent_id = models.IntegerField()
    n = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.n} from {self.from_agent_id} to {self.to_agent_id}"


class Passing(models.TextChoices):
    """`sent` waits for its receiver; `accepted` is at work."""

    SENT = "sent", "Sent"
    ACCEPTED = "accepted", "Accepted"
    REJECTED = "rejected", "Rejected"
    COMPLETED = "completed", "Completed"
    EXPIRED = "expired", "Expired"


OPEN = (Passing.SENT, Passing.ACCEPTED)


class Envelope(models.Model):
    """A handoff as its sender declared it. `sender_key` and `receiver_key` are names as they are compared, within the
    application if that is known. `acts`: by which idempotency key, with which body it was accepted, rejected or
    completed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    key = models.TextField(blank=True, default="", help_text="Idempotency key of the sender")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of what was sent")
    version = models.SmallIntegerField(default=1)
    run = models.TextField(help_text="As the sender named it")
    run_id = models.UUIDField(null=True, blank=True)
    sender = models.TextField()
    sender_key = models.TextField()
    receiver = models.TextField()
    receiver_key = models.TextField()
    body: models.JSONField[Any, Any] = models.JSONField(help_text="Done, asked, evidence and so on")
    demands = models.IntegerField(null=True, blank=True, help_text="Version of what its pair needs")
    state = models.CharField(max_length=9, choices=Passing, default=Passing.SENT)
    sent_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, default="")
    result: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True)
    acts: models.JSONField[Any, Any] = models.JSONField(default=dict)
    forgotten_at = models.DateTimeField(null=True, blank=True, help_text="Since when its words are gone")
    sender_app = models.TextField(blank=True, db_default="", help_text="Application of the sender, where it is known")
    receiver_app = models.TextField(blank=True, db_default="")
    due_at = models.DateTimeField(null=True, blank=True, help_text="Taken: when to look whether its receiver lives")
    returned = models.SmallIntegerField(db_default=0, help_text="How often whoever took it was given up")
    fence = models.IntegerField(db_default=0, help_text="Grows each time that it is taken, and taken back")
    problem: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True, help_text="Why it came back last")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "sender_key", "sender_app", "key"], condition=~Q(key=""), name="sent_once_by_key"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "receiver_key", "sent_at"], name="handed_to", condition=Q(state="sent")),
            models.Index(fields=["workspace", "-sent_at", "-id"], name="handed_recent"),
            models.Index(fields=["workspace", "run"], name="handed_run_named"),
            models.Index(fields=["workspace", "run_id"], name="handed_run", condition=Q(run_id__isnull=False)),
            models.Index(fields=["expires_at"], name="handed_due", condition=Q(state="sent")),
            models.Index(fields=["due_at"], name="handed_taken", condition=Q(state="accepted")),
        ]

    def __str__(self) -> str:
        return f"{self.sender} to {self.receiver} ({self.state})"


class Demand(models.Model):
    """What a pair of agents needs in a handoff, as an admin wrote it. Versions are never changed: the last one counts,
    and one without any content asks for nothing beyond the common shape. Keys are those of `parties`."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    sender = models.TextField()
    sender_key = models.TextField()
    receiver = models.TextField()
    receiver_key = models.TextField()
    version = models.IntegerField()
    body: models.JSONField[Any, Any] = models.JSONField(default=dict)
    by = models.CharField(max_length=200)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "sender_key", "receiver_key", "version"], name="one_demand_a_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.sender} to {self.receiver} v{self.version}"


class Bounce(models.Model):
    """How many handoffs of a pair were sent back on a day (UTC): `field` "" counts them, the others say how often each
    field was at fault."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    sender_key = models.TextField()
    receiver_key = models.TextField()
    field = models.CharField(max_length=80, blank=True, default="")
    sender = models.TextField()
    receiver = models.TextField()
    n = models.IntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "day", "sender_key", "receiver_key", "field"], name="bounced_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.n} of {self.sender} to {self.receiver}"


class Holding(models.TextChoices):
    """`lost`: its time was over and another one was granted it."""

    HELD = "held", "In hand"
    DONE = "done", "Done"
    RELEASED = "released", "Given back"
    LOST = "lost", "Taken over"
    STALE = "stale", "Done anew"


STANDING = (Holding.HELD, Holding.DONE)


class Claim(models.Model):
    """One grant of a piece of work in a run. Who is granted it next gets a row of its own, with a greater `fence`: so a
    holder that was given up and comes back finds that its row no longer stands. `ref` names the run, `digest` the piece
    of work (its key may hold a secret, which `key` no longer does)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    run = models.TextField(help_text="As the holder named it")
    run_id = models.UUIDField(null=True, blank=True)
    ref = models.TextField()
    key = models.TextField()
    digest = models.BinaryField(max_length=32)
    agent = models.TextField()
    once = models.TextField(blank=True, default="", help_text="Idempotency key of the holder")
    state = models.CharField(max_length=8, choices=Holding, default=Holding.HELD)
    fence = models.IntegerField(default=1)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    result: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True)
    late = models.BooleanField(default=False, help_text="Its result came after its time, and nobody else had begun")
    refused_at = models.DateTimeField(null=True, blank=True, help_text="When a result came too late to be taken")
    asked_again = models.IntegerField(default=0, help_text="How often others wanted the same")
    forgotten_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "ref", "digest"], condition=Q(state__in=["held", "done"]), name="claimed_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "digest"], name="claim_work"),
            models.Index(fields=["workspace", "ref"], name="claim_ref"),
            models.Index(fields=["workspace", "run_id"], name="claim_run", condition=Q(run_id__isnull=False)),
            models.Index(fields=["workspace", "since"], name="claim_since"),
        ]

    def __str__(self) -> str:
        return f"{self.key} by {self.agent} ({self.state})"
