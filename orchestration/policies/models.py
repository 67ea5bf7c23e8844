"""Policies, their immutable versions, and the decisions that were made by them.

`Decision`, `Asked` and `Past` are big tables: their workspace stands in the key, and no foreign key leads to or from
them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.policies.effects import Kind
from orchestration.telemetry.models import workspace_value
from orchestration.workspaces.models import Workspace


class Rulebook(models.Model):
    """A workspace's rules as a whole. `generation` grows with every change of what is live, so that each process sees
    by one number whether what it holds in memory still stands."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.CASCADE, related_name="rulebook")
    generation = models.BigIntegerField(default=0, db_default=0)
    default_effect = models.CharField(
        max_length=8, default=Kind.ALLOW, db_default=Kind.ALLOW, help_text="When no policy speaks"
    )
    two_people = models.BooleanField(
        default=False, db_default=False, help_text="Whatever loosens a policy needs a second person"
    )

    rates: models.JSONField[dict[str, str], dict[str, str]] = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="What one unit of a currency is worth in the workspace's, by its code",
    )

    def __str__(self) -> str:
        return f"Rules of {self.workspace_id}, generation {self.generation}"


class Subject(models.TextChoices):
    ASK = "ask", "An ask of an agent"
    SIGNAL = "signal", "A signal"


class Policy(models.Model):
    """A guardrail an admin edits. What it says is in its versions; `live` and `shadow` are numbers of them. One about a
    signal answers no asks: it says what is done when something is measured."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="policies")
    slug = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    purpose = models.CharField(max_length=400, blank=True, default="")
    subject = models.CharField(max_length=6, choices=Subject, default=Subject.ASK, db_default=Subject.ASK)
    sensitive = models.BooleanField(default=False, help_text="A second person publishes it")
    live = models.IntegerField(null=True, blank=True)
    shadow = models.IntegerField(null=True, blank=True)
    shadow_since = models.DateTimeField(null=True, blank=True)
    shadow_decisions = models.PositiveIntegerField(
        default=200,
        db_default=200,
        help_text="What a shadow has to see before it may go live; of a rule on signals, episodes",
    )
    shadow_days = models.PositiveIntegerField(default=7, db_default=7, help_text="And for how many days")
    shadow_agreement = models.FloatField(
        default=0.0, db_default=0.0, help_text="And how large a share of its answers has to be as they were, 0 to 1"
    )
    shadow_tally: models.JSONField[Any, Any] = models.JSONField(
        null=True, blank=True, help_text="What it has seen until a minute ago, so that a look costs little"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "slug"], name="one_policy_a_slug")]

    def __str__(self) -> str:
        return self.name


class State(models.TextChoices):
    DRAFT = "draft", "Draft"
    SHADOW = "shadow", "Shadow"
    LIVE = "live", "Live"
    RETIRED = "retired", "Retired"


class PolicyVersion(models.Model):
    """What a policy says: `body` holds scope, condition, then, otherwise, limits, fail_mode and examples (see
    `evaluate.Rule.of`). It may change as long as it is a draft; afterwards a trigger in the database forbids it."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    body: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the body as canonical JSON")
    based_on = models.IntegerField(null=True, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=400, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    saved_at = models.DateTimeField(default=timezone.now)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who asked a second person to publish it",
    )
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)
    early = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="What its shadow lacked, and it went live"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    replay: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True, help_text="Summary of its last replay")
    replayed_at = models.DateTimeField(null=True, blank=True)
    replayed_digest = models.CharField(max_length=64, blank=True, default="", help_text="Of the body that was replayed")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["policy", "number"], name="one_version_a_number"),
            models.UniqueConstraint(fields=["policy"], condition=Q(state=State.LIVE), name="one_live_a_policy"),
            models.UniqueConstraint(fields=["policy"], condition=Q(state=State.SHADOW), name="one_shadow_a_policy"),
            models.UniqueConstraint(fields=["policy"], condition=Q(state=State.DRAFT), name="one_draft_a_policy"),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} v{self.number}"


class Act(models.TextChoices):
    """What takes two people where publishing does."""

    REVERT = "revert", "Revert"
    RETIRE = "retire", "Retire"
    GATE = "gate", "What a shadow has to have seen"
    EASE = "ease", "No longer sensitive"
    ALONE = "alone", "Publishing takes one person"
    DEFAULT = "default", "When no policy speaks"
    RATES = "rates", "Exchange rates"


class Proposal(models.Model):
    """What one admin asks for and another has to agree to; it goes when it is settled, and the ledger keeps it. No
    policy: it is about the rulebook."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    policy = models.ForeignKey(Policy, null=True, on_delete=models.CASCADE, related_name="proposals")
    act = models.CharField(max_length=8, choices=Act)
    told: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(help_text="Exactly what is asked")
    reason = models.CharField(max_length=400, blank=True, default="")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "policy", "act"], name="one_proposal_an_act", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.act} of {self.policy_id}"


class Progress(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class ReplayRun(models.Model):
    """A version over recorded decisions, as asked for and as far as it has come. `body` is what is replayed: a draft
    may change meanwhile. Whoever works on it says so every half second (`beat_at`); one that falls silent has died, and
    another takes over."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(PolicyVersion, on_delete=models.CASCADE, related_name="replays")
    digest = models.CharField(max_length=64, help_text="Of the body")
    body: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    since = models.DateTimeField(null=True, blank=True, help_text="As wished; none: the newest 90 days")
    until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=9, choices=Progress, default=Progress.WAITING)
    done = models.IntegerField(default=0)
    total = models.IntegerField(null=True, blank=True)
    report: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True)
    fault = models.CharField(max_length=300, blank=True, default="")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    begun_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    worker = models.UUIDField(null=True, blank=True)
    tries = models.IntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version"],
                condition=Q(state__in=[Progress.WAITING, Progress.RUNNING]),
                name="one_open_replay_a_version",
            )
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in (Progress.WAITING, Progress.RUNNING)

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        if self.state == Progress.DONE:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0


class Decision(models.Model):
    """The recorded answer to "may I?", with the facts it was made on. `verdict`, `reviewer`, `minutes` and `outcome`
    are what people said and what came later, copied here when they are known; `imported`: made elsewhere."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    workspace = workspace_value()
    id = models.UUIDField()
    at = models.DateTimeField()
    agent = models.TextField()
    application = models.TextField(default="")
    agent_id = models.IntegerField(default=0)
    action_type = models.TextField()
    system = models.TextField(default="")
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    currency = models.TextField(default="")
    run = models.TextField(default="", help_text="As the caller named it")
    run_id = models.UUIDField(null=True)
    effect = models.TextField()
    policy_id = models.UUIDField(null=True, help_text="The strictest match; none: the default spoke")
    version = models.IntegerField(null=True)
    facts: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    answer: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(help_text="What the caller was told")
    shadow: models.JSONField[Any, Any] = models.JSONField(null=True, help_text="What shadow versions would have said")
    degraded = models.BooleanField(default=False)
    hold_id = models.UUIDField(null=True)
    key_id = models.IntegerField(default=0)
    imported = models.BooleanField(default=False)
    received_at = models.DateTimeField(null=True, help_text="Of an imported one; its age counts from here")
    forgotten_at = models.DateTimeField(null=True, help_text="Since when facts and answer are gone")
    verdict = models.TextField(default="")
    reviewer = models.TextField(default="")
    minutes = models.FloatField(null=True)
    outcome = models.TextField(default="")
    reason = models.TextField(null=True, help_text="Why people said so, where it came from elsewhere")  # noqa: DJ001  rows are filled by name

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "at"], name="decision_at"),
            models.Index(fields=["workspace", "policy_id", "at"], name="decision_policy"),
            models.Index(fields=["workspace", "run_id"], name="decision_run", condition=Q(run_id__isnull=False)),
            models.Index(fields=["workspace", "at"], name="decision_facts", condition=Q(forgotten_at__isnull=True)),
            models.Index(
                fields=["workspace", "at"],
                include=["verdict"],
                name="decision_asked",
                condition=Q(imported=True, effect="hold"),
            ),
            models.Index(fields=["workspace", "at"], name="decision_shadow", condition=Q(shadow__isnull=False)),
            models.Index(fields=["workspace", "agent_id", "at"], name="decision_routed", condition=Q(effect="route")),
            models.Index(
                fields=["workspace", "agent", "action_type", "at"], name="decision_said", condition=~Q(verdict="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.effect} {self.id}"


class Asked(models.Model):
    """An idempotency key that was used, and what was asked with it: the same again gets the first answer."""

    pk = models.CompositePrimaryKey("workspace_id", "key")
    workspace = workspace_value()
    key = models.TextField()
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the ask")
    decision_id = models.UUIDField()
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["at"], name="asked_at")]

    def __str__(self) -> str:
        return self.key


class Past(models.Model):
    """An ask under each of its subjects (`vocabulary.SUBJECTS`), for rules that look back. `counts`: it was not
    refused, neither by a policy nor by a person."""

    pk = models.CompositePrimaryKey("workspace_id", "decision_id", "subject")
    workspace = workspace_value()
    decision_id = models.UUIDField()
    subject = models.TextField()
    value = models.TextField()
    at = models.DateTimeField()
    action_type = models.TextField()
    agent = models.TextField()
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    counts = models.BooleanField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "subject", "value", "at"], name="past_subject")]

    def __str__(self) -> str:
        return f"{self.subject} {self.value}"


class Reading(models.Model):
    """What was measured of one thing in one minute, where it differs from what was before: so that a rule on signals
    can be tried on the past. No facts: it is not so any more. `tied`: what it belongs to, as kind to id and name."""

    pk = models.CompositePrimaryKey("workspace_id", "signal", "target", "at")
    workspace = workspace_value()
    signal = models.TextField()
    target = models.TextField()
    at = models.DateTimeField()
    name = models.TextField()
    tied: models.JSONField[Any, Any] = models.JSONField(default=dict)
    facts: models.JSONField[Any, Any] = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "signal", "at"], name="reading_at")]

    def __str__(self) -> str:
        return f"{self.signal} {self.name}"
