"""Receivers of webhooks, and what is or was to be told to them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.workspaces.models import Workspace


class Event(models.TextChoices):
    """What an endpoint may ask to be told."""

    HOLD_OPENED = "hold.opened", "A person is asked"
    HOLD_APPLIED = "hold.applied", "A verdict took effect"
    HOLD_EXPIRED = "hold.expired", "Nobody answered in time"
    POLICY_PUBLISHED = "policy.published", "A policy went live"
    DECISION_MADE = "decision.made", "An agent was answered"
    HANDOFF_RETURNED = "handoff.returned", "A handoff was refused, not taken in time, or given up"
    ACTION_DONE = "action.done", "Baton did something, or somebody did by it"
    ACTION_ASKED = "action.asked", "An agent is asked to try again, or to undo"
    ACTION_NOTICE = "action.notice", "Somebody has to know of something"


TEST = "webhook.test"


class Endpoint(models.Model):
    """A URL that is told of events. Its secret is made of `salt` and Baton's own secret, and stored nowhere: a copy of
    the database signs nothing. `check` tells when Baton's own secret is no longer the one it was made with."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="endpoints")
    url = models.TextField(help_text="Or mailto: and an address")
    agent_id = models.IntegerField(
        default=0, db_default=0, help_text="An agent's own, which is sent what it is asked to do and no events"
    )
    events: ArrayField[list[str], list[str]] = ArrayField(models.CharField(max_length=40, choices=Event))
    salt = models.CharField(max_length=64, unique=True)
    check_sum = models.CharField(max_length=16)
    salted_at = models.DateTimeField(default=timezone.now)
    former_salt = models.CharField(max_length=64, blank=True, default="")
    former_until = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.url


class State(models.TextChoices):
    PENDING = "pending", "Waiting"
    CLAIMED = "claimed", "Being sent"
    DONE = "done", "Delivered"
    FAILED = "failed", "Tried again later"
    DEAD = "dead", "Given up"


class Message(models.Model):
    """`due_at`: when it is to be sent; of a claimed one, when its lease ends and somebody else may send it. `fence`
    grows with each claim, so that who lost the lease writes nothing any more."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="messages")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="messages")
    event = models.CharField(max_length=40)
    key = models.TextField(help_text="What it is about: one message of it for each receiver")
    data: models.JSONField[Any, Any] = models.JSONField()
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    fence = models.IntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    status = models.IntegerField(null=True, blank=True, help_text="Of the last answer; none: there was no answer")
    took_ms = models.IntegerField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["endpoint", "key"], name="told_once")]
        indexes: ClassVar = [
            models.Index(
                fields=["endpoint", "due_at"],
                name="message_due",
                condition=Q(state__in=["pending", "claimed", "failed"]),
            ),
            models.Index(fields=["workspace", "created_at"], name="message_recent"),
            models.Index(fields=["ended_at"], name="message_ended", condition=Q(state__in=["done", "dead"])),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id} ({self.state})"
