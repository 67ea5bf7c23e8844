"""Cases as reviewers see them, the batches they are decided in, and the people who decide.

A case is one hold, read again from the hold whenever it is looked at: what stands here is only what the inbox needs to
find, group, sort and assign ten thousand of them. `intake` fills it, and may do so twice. Holds are named by value, as
all big tables are.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.workspaces.models import Workspace

MOST_IN_A_BATCH = 25


class Standing(models.TextChoices):
    """How a case stands in its batch. One that differs comes first and starts unselected; one that differs much is
    alone in a batch of its own."""

    ALIKE = "alike", "Like the others"
    DIFFERS = "differs", "Differs"
    ALONE = "alone", "On its own"


class Batch(models.Model):
    """Cases that may be decided together. `key`: what is exactly the same in all (`holds.likeness`); `core`: what the
    deciding fields and texts of its first case were, against which a newcomer is measured (a bounded diameter).

    `cases`, `differing`, `late`, `due_at` are of the open cases and are written together with them. A batch that
    somebody has open (`claimed_until`) takes no newcomers: they go to another one with the same key.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64, help_text="SHA-256, in hex, of what is the same in all")
    core: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    title = models.TextField()
    agent = models.TextField(blank=True, default="")
    policy = models.TextField(blank=True, default="", help_text="Slug of the policy that asks")
    version = models.IntegerField(null=True, blank=True)
    skill = models.TextField(blank=True, default="")
    people = models.SmallIntegerField(default=1)
    cases = models.IntegerField(default=0)
    differing = models.IntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True, help_text="When its last case was decided")
    split = models.BooleanField(default=False, help_text="Taken out by a person: takes no newcomers")
    revision = models.IntegerField(default=0)
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    assigned_why = models.TextField(blank=True, default="")
    pinned = models.BooleanField(
        default=False, db_default=False, help_text="Given by a person: nobody else is chosen for it"
    )
    short = models.SmallIntegerField(
        default=0, db_default=0, help_text="People who would have to be on duty for it and are not"
    )
    covered_at = models.DateTimeField(null=True, blank=True, help_text="When they are; null: nobody knows")
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    claimed_until = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "due_at", "id"], name="batch_open", condition=Q(closed_at=None)),
            models.Index(fields=["workspace", "key"], name="batch_key", condition=Q(closed_at=None)),
            models.Index(fields=["workspace", "assigned_to"], name="batch_whose", condition=Q(closed_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.cases})"


class Escalation(models.Model):
    """One hold in the inbox. `fields`: what the case is about as flat names and plain values ({"amount": 940.0,
    "context.item_back": false, ...}), without secrets; `differs`: the names in which it is not like its batch."""

    hold_id = models.UUIDField(primary_key=True, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    batch = models.ForeignKey(Batch, null=True, on_delete=models.SET_NULL, related_name="escalations")
    key = models.CharField(max_length=64)
    number = models.IntegerField(default=0, help_text="Of the case in its batch, from 1; never given twice")
    agent = models.TextField()
    action_type = models.TextField(blank=True, default="")
    policy = models.TextField(blank=True, default="")
    version = models.IntegerField(null=True, blank=True)
    skill = models.TextField(blank=True, default="")
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    currency = models.TextField(blank=True, default="")
    fields: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    text = models.TextField(blank=True, default="", help_text="What is said in words, by which texts are compared")
    standing = models.CharField(max_length=7, choices=Standing, default=Standing.ALIKE)
    differs: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    distance = models.FloatField(default=0.0)
    selected = models.BooleanField(default=True, help_text="Whether it starts selected")
    risk = models.FloatField(
        null=True, blank=True, help_text="How likely approving it would be wrong, by what people said of such cases"
    )
    open = models.BooleanField(default=True, help_text="As the hold was when it was last looked at")
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    raised_by = models.TextField(blank=True, default="", help_text="User name of a person who raised it, if one did")
    subjects: ArrayField[list[str] | None, list[str] | None] = ArrayField(
        models.TextField(), null=True, help_text="Whom and what it touches, in small letters; null: not looked at yet"
    )
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    snoozed_until = models.DateTimeField(null=True, blank=True)
    unneeded = models.BooleanField(default=False, help_text='"Should not have asked me"')
    precedent = models.ForeignKey(
        "Precedent", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, help_text="That covers it"
    )
    before = models.CharField(
        max_length=7, blank=True, default="", db_default="", help_text="What the precedent that covers it says"
    )
    elsewhere = models.BooleanField(default=False, help_text="The reviewer had to look outside this page")
    seconds = models.FloatField(null=True, blank=True, help_text="Of a person, from open on the screen to verdict")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["batch", "number"], name="escalation_batch"),
            models.Index(fields=["workspace", "key"], name="escalation_key", condition=Q(open=True)),
            models.Index(fields=["workspace", "due_at"], name="escalation_due", condition=Q(open=True)),
            models.Index(fields=["workspace", "key", "closed_at"], name="escalation_before", condition=Q(open=False)),
            models.Index(fields=["precedent"], name="escalation_covered", condition=Q(precedent__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"Case {self.number} of {self.batch_id}"


class Odds(models.Model):
    """What was learnt from what people said of one agent's asks of one kind: `model` tells how likely it is that
    approving a case would be wrong (`odds`); null where too little is known to tell cases apart."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    agent = models.TextField()
    action_type = models.TextField()
    judged = models.IntegerField(default=0, help_text="Cases it was learnt from")
    wrong = models.IntegerField(default=0, help_text="Of those, how many ought not to have been approved as they were")
    model: models.JSONField[dict[str, Any] | None, dict[str, Any] | None] = models.JSONField(null=True)
    learnt_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "agent", "action_type"], name="one_odds_an_act")
        ]
        verbose_name_plural = "odds"

    def __str__(self) -> str:
        return f"{self.agent}: {self.action_type}"


class Verb(models.TextChoices):
    APPROVE = "approve", "Approved"
    REJECT = "reject", "Rejected"
    AMEND = "amend", "Changed and approved"
    MORE = "more", "Asked for more on"
    SPLIT = "split", "Split off"
    ASSIGN = "assign", "Assigned"
    SNOOZE = "snooze", "Snoozed"
    ESCALATE = "escalate", "Escalated"


class Act(models.Model):
    """One press of a reviewer. `key` comes with the form, so that a second press of the same is the first one again;
    `results`: what became of each case; `before`: what has to be set back when it is undone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    verb = models.CharField(max_length=8, choices=Verb)
    batch_id = models.UUIDField()
    results: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    before: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    words = models.TextField(blank=True, default="")
    at = models.DateTimeField(default=timezone.now)
    undo_until = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "person", "key"], name="one_act_a_key"),
        ]
        indexes: ClassVar = [models.Index(fields=["workspace", "person", "-at"], name="act_whose")]

    def __str__(self) -> str:
        return f"{self.verb} by {self.person_id}"


class Competence(models.Model):
    """What a member may decide: a skill, how well (1 learning, 2 alone, 3 others ask them), up to which amount."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    skill = models.TextField()
    level = models.SmallIntegerField(default=2)
    most = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True, help_text="Of one case")
    currency = models.TextField(blank=True, default="")
    languages: models.JSONField[list[str], list[str]] = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "person", "skill"], name="one_competence_a_skill")
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.skill}"


class Duty(models.Model):
    """When a member reviews, and how much a day. `hours`: seven [from, until] in minutes of the day in the zone of the
    workspace, Monday first, null for a day off."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    hours: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    minutes_a_day = models.IntegerField(default=240)
    away_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "person"], name="one_duty_a_person")]
        verbose_name_plural = "duties"

    def __str__(self) -> str:
        return f"{self.person_id}: {self.minutes_a_day} minutes a day"


class Interest(models.Model):
    """Why a member must not decide some cases: `subject` is the value of a field (an account, a customer, an agent)."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    subject = models.TextField()
    why = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "person", "subject"], name="one_interest_a_subject")
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.subject}"


class Alarm(models.TextChoices):
    NEW = "new", "New work"
    SOON = "soon", "Due soon"
    LATE = "late", "Late"
    AGAIN = "again", "Still late: the next person is asked"
    BACK = "back", "Back from snooze"


class Clock(models.Model):
    """When something has to be done about a case, as a row, so that a restart forgets none and none rings twice."""

    hold_id = models.UUIDField()
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    alarm = models.CharField(max_length=5, choices=Alarm)
    at = models.DateTimeField()
    rung_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["hold_id", "alarm", "at"], name="one_ring")]
        indexes: ClassVar = [models.Index(fields=["at"], name="clock_due", condition=Q(rung_at=None))]

    def __str__(self) -> str:
        return f"{self.alarm} at {self.at}"


class Channel(models.TextChoices):
    MAIL = "mail", "E-mail"
    HOOK = "hook", "Webhook"


class Telling(models.Model):
    """How and when a member wants to be told. `quiet`: [from, until] in minutes of the day, may span midnight."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    alarms: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    digest_minutes = models.IntegerField(
        default=15, help_text="New work is told together, at most so often; 0: at once"
    )
    quiet: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True)
    late_breaks = models.BooleanField(default=False, db_default=False, help_text="What is late is told in quiet hours")
    mail = models.BooleanField(default=True)
    hook = models.TextField(blank=True, default="", help_text="Address of a chat tool's incoming webhook")
    secret = models.BinaryField(null=True, blank=True, help_text="Key by which the webhook is signed, encrypted")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "person"], name="one_telling_a_person")]

    def __str__(self) -> str:
        return f"{self.person_id}"


class Notice(models.Model):
    """One message to one person: the outbox of the inbox. `key` makes it one however often it is made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=4, choices=Channel)
    key = models.TextField()
    subject = models.TextField()
    body = models.TextField()
    about: models.JSONField[list[Any], list[Any]] = models.JSONField(
        default=list,
        help_text="Alarm, batch and case of each thing it tells of; its words are made of them when it goes",
    )
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    dead_at = models.DateTimeField(null=True, blank=True, help_text="When it was given up")
    attempts = models.SmallIntegerField(default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "person", "channel", "key"], name="one_notice")
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="notice_waits", condition=Q(sent_at=None, dead_at=None)),
            models.Index(fields=["workspace", "person", "-due_at"], name="notice_whose"),
        ]

    def __str__(self) -> str:
        return self.subject


class Precedent(models.Model):
    """A verdict that a person keeps for cases like those in which it was said. `key`, `shape`, `within`: which these
    are (`covering`); the version of the policy is part of the key, so that another version makes it rest.

    `cases`: how many the person decided when it was kept; `note`: the words of a no, said again with it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    act_id = models.UUIDField(null=True, help_text="The press by which it was said")
    hold_id = models.UUIDField(help_text="The first case in which it was said")
    key = models.CharField(max_length=64)
    shape: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    within: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    title = models.TextField(default="", db_default="")
    agent = models.TextField(default="", db_default="")
    action_type = models.TextField(blank=True, default="", db_default="")
    currency = models.TextField(blank=True, default="", db_default="")
    policy_id = models.UUIDField(null=True, blank=True)
    policy = models.TextField(blank=True, default="", db_default="", help_text="Its slug")
    version = models.IntegerField(null=True, blank=True)
    verdict = models.TextField()
    note = models.TextField(blank=True, default="", db_default="")
    reason = models.TextField(default="", db_default="", help_text="Why it may speak for such cases")
    cases = models.IntegerField(default=0, db_default=0)
    said_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    said_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    revoked_why = models.TextField(blank=True, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "key"], name="precedent_key", condition=Q(revoked_at=None)),
            models.Index(fields=["workspace", "-said_at"], name="precedent_said"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["act_id"], name="one_precedent_an_act", condition=Q(revoked_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.key[:8]}"


class Descendant(models.Model):
    """A case that was decided while a precedent covered it. `person`: who decided it, null where the precedent answered
    by itself; `agreed`: whether that was what the precedent says."""

    hold_id = models.UUIDField(primary_key=True, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    precedent = models.ForeignKey(Precedent, on_delete=models.CASCADE, related_name="descendants")
    act_id = models.UUIDField(null=True, help_text="The press; null where the precedent answered by itself")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    agreed = models.BooleanField(default=True, db_default=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.hold_id)


class Found(models.TextChoices):
    RIGHT = "right", "Right"
    WRONG = "wrong", "Wrong"
    UNSURE = "unsure", "Cannot be told"


class Sample(models.Model):
    """A decision that went through without a person, drawn to be looked at afterwards. `chance`: with which
    probability it was drawn, by which what is found is weighed."""

    decision_id = models.UUIDField(primary_key=True, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(help_text="Of the decision")
    drawn_at = models.DateTimeField(default=timezone.now)
    chance = models.FloatField()
    stratum = models.TextField(help_text="Risk class it was drawn from")
    found = models.CharField(max_length=6, choices=Found, blank=True, default="")
    note = models.TextField(blank=True, default="")
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["workspace", "drawn_at"], name="sample_open", condition=Q(found="")),
            models.Index(fields=["workspace", "at"], name="sample_at"),
        ]

    def __str__(self) -> str:
        return f"{self.decision_id} {self.found}"


class Writer(models.Model):
    """The endpoint that drafts briefs, as an admin set it. `key` is encrypted with Baton's own secret: a copy of the
    database opens nothing. After a failure it is left alone until `paused_until`."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.CASCADE, related_name="+")
    on = models.BooleanField(default=False)
    url = models.TextField(help_text="Up to and without /chat/completions")
    model = models.TextField()
    key = models.BinaryField(null=True, blank=True, help_text="Encrypted")
    tried_at = models.DateTimeField(null=True, blank=True)
    took_ms = models.IntegerField(null=True, blank=True)
    error = models.TextField(blank=True, default="", help_text="Of the last try; empty: it went well")
    paused_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.model} at {self.url}"


class Draft(models.Model):
    """What the endpoint wrote of a batch, checked. `digest`: of the facts that it was given and of who was asked; of
    other facts it is not shown. Without `sentences`: the answer could not be used, and the same is not asked again."""

    batch = models.OneToOneField(Batch, primary_key=True, on_delete=models.CASCADE, related_name="+")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    sentences: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    facts = models.IntegerField(default=0)
    unfound = models.IntegerField(default=0)
    model = models.TextField(blank=True, default="")
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "asked_at"], name="draft_asked")]

    def __str__(self) -> str:
        return f"Draft of {self.batch_id}"
