"""Tenants, the people in them and the keys of machines."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

ROLES = ("operator", "reviewer", "admin")
SCOPES = ("ingest", "decide", "work", "read", "admin")
THEMES = (("", "As the system"), ("light", "Light"), ("dark", "Dark"))
DENSITIES = (("", "Comfortable"), ("tight", "Tight"))


class Workspace(models.Model):
    """The tenant: everything belongs to exactly one."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    zone = models.CharField(max_length=60, default="UTC", help_text="Time zone of the workspace's day")
    currency = models.CharField(max_length=3, default="USD")
    keeps_content = models.BooleanField(default=True, help_text="Store prompts and results of telemetry")
    span_days = models.PositiveSmallIntegerField(default=30, help_text="Days that spans and minute figures are kept")
    run_days = models.PositiveSmallIntegerField(default=400, help_text="Days that runs and hour figures are kept")
    decision_days = models.PositiveSmallIntegerField(
        default=400, db_default=400, help_text="Days that facts of decisions are kept; that there was one stays"
    )
    spans_per_second = models.PositiveIntegerField(null=True, blank=True, help_text="Of all keys; empty: no limit")
    bytes_per_day = models.PositiveBigIntegerField(null=True, blank=True, help_text="Of all keys; empty: no limit")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.slug


class User(AbstractUser):
    """A person. Our own class from the first migration on, so that it can grow."""

    zone = models.CharField(max_length=60, blank=True, default="")
    theme = models.CharField(max_length=5, blank=True, default="", db_default="", choices=THEMES)
    density = models.CharField(max_length=5, blank=True, default="", db_default="", choices=DENSITIES)
    single_keys = models.BooleanField(default=True, db_default=True, help_text="Shortcuts made of one character")


class Membership(models.Model):
    """A person in a workspace, with the roles held there. Admin includes the other two (`has`). Without a role it is a
    membership that has ended: it stays as a record of it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    roles: ArrayField[list[str], list[str]] = ArrayField(models.CharField(max_length=10), default=list)
    sees_content = models.BooleanField(default=False, help_text="May read prompts and results")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "workspace"], name="one_membership_a_person")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.workspace_id}: {', '.join(self.roles)}"

    def has(self, role: str) -> bool:
        return role in self.roles or "admin" in self.roles


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        return self.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A link by which one person may join: it works once, until it ends. Only the SHA-256 of its secret is kept."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    digest = models.BinaryField(max_length=32, unique=True)
    note = models.CharField(max_length=80, help_text="For whom it is, as the admin put it")
    roles: ArrayField[list[str], list[str]] = ArrayField(models.CharField(max_length=10))
    sees_content = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="invitations_made")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.note} to {self.workspace_id}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> ApiKeyQuerySet:
        return self.filter(models.Q(ends_at=None) | models.Q(ends_at__gt=timezone.now()), revoked_at=None)


class ApiKey(models.Model):
    """What a machine presents. Only the SHA-256 of the key is kept; `prefix` lets people recognise it."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16)
    digest = models.BinaryField(max_length=32, unique=True)
    scopes: ArrayField[list[str], list[str]] = ArrayField(models.CharField(max_length=10))
    agents: ArrayField[list[str], list[str]] = ArrayField(
        models.CharField(max_length=256), default=list, blank=True, help_text="Agents it vouches for; empty: any"
    )
    spans_per_second = models.PositiveIntegerField(null=True, blank=True, help_text="Quota; empty: none")
    bytes_per_day = models.PositiveBigIntegerField(null=True, blank=True, help_text="Quota; empty: none")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="When it stops by itself; empty: never")
    lent = models.BooleanField(
        default=False, db_default=False, help_text="Made by Baton for a moment of its own, and in no list"
    )

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class KeyDay(models.Model):
    """What a key has sent on a day (UTC): its daily quota is measured against it, whichever process it came to."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    items = models.BigIntegerField()
    size = models.BigIntegerField(help_text="Bytes as received")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["key", "day"], name="one_row_a_key_and_day")]

    def __str__(self) -> str:
        return f"{self.key_id} on {self.day}"
