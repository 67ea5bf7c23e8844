"""What is measured of agents on systems, circuits, work that was moved, choices, and what routing may do."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from orchestration.registry.models import Agent, System
from orchestration.telemetry.models import workspace_value
from orchestration.workspaces.models import Workspace


class Cell(models.Model):
    """How reliable an agent is on a system and kind of call (`task` empty), or at a task as steps are called (`system`
    null). Made anew as a whole by each measuring. `n`: as counted, `sure`: what it is worth as evidence, after decay
    and for calls that come out alike."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE)
    system = models.ForeignKey(System, null=True, on_delete=models.CASCADE)
    kind = models.CharField(max_length=12, default="", blank=True, help_text="Of call; empty: all kinds")
    task = models.CharField(max_length=256, default="", blank=True)
    n = models.BigIntegerField()
    failures = models.BigIntegerField()
    sure = models.FloatField()
    alpha = models.FloatField()
    beta = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "agent", "system", "kind", "task"], name="one_cell", nulls_distinct=False
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "system", "kind"], name="cell_of_system"),
            models.Index(fields=["workspace", "task"], name="cell_of_task", condition=~Q(task="")),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.system_id or self.task} {self.mean:.3f}"

    @property
    def mean(self) -> float:
        """Share that succeeds."""
        return float(self.alpha / (self.alpha + self.beta))


class Circuit(models.TextChoices):
    CLOSED = "closed", "Closed"
    OPEN = "open", "Open"
    HALF = "half", "Half open"


class Breaker(models.Model):
    """The circuit of an agent to a system, once it was open. `until`: when an open one is tried again. `base_*`: what
    the minute had counted when the state began, so that only what came after counts. `opens`: in a row, by which the
    cool-down grows. `fence` grows with each change."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE)
    system = models.ForeignKey(System, on_delete=models.CASCADE)
    state = models.CharField(max_length=6, choices=Circuit, default=Circuit.CLOSED)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)
    opens = models.IntegerField(default=0)
    episode = models.IntegerField(default=0, help_text="How often it broke, from closed to closed")
    base_n = models.IntegerField(default=0)
    base_failures = models.IntegerField(default=0)
    n = models.IntegerField(default=0, help_text="Calls on which the last change was made")
    failures = models.IntegerField(default=0)
    words = models.CharField(max_length=300, default="", blank=True)
    fence = models.IntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "agent", "system"], name="one_breaker_a_path")
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} on {self.system_id}: {self.state}"


class Move(models.Model):
    """Work of one agent that goes to another: on a system and of a task, or all of it (null, empty). Ended by an
    action, by which it goes. `share`: of the work that stays, to see whether the agent has recovered."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="moved_from")
    to = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="moved_to")
    system = models.ForeignKey(System, null=True, blank=True, on_delete=models.CASCADE)
    task = models.CharField(max_length=256, default="", blank=True)
    share = models.FloatField(default=0.0)
    action = models.UUIDField(help_text="That moved it")
    words = models.CharField(max_length=400, default="", blank=True)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "agent", "system", "task"], name="moved_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} to {self.to_id}"


class Choice(models.Model):
    """Who was chosen, what for, and in which words. `key` null: asked without one."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    workspace = workspace_value()
    id = models.UUIDField()
    at = models.DateTimeField()
    key = models.CharField(max_length=300, null=True)  # noqa: DJ001  null is none, and many have none
    digest = models.CharField(max_length=64)
    agent_id = models.IntegerField()
    system_id = models.IntegerField()
    task = models.CharField(max_length=256)
    explored = models.BooleanField()
    asked: models.JSONField[Any, Any] = models.JSONField()
    answer: models.JSONField[Any, Any] = models.JSONField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "key"], name="chosen_once")]
        indexes: ClassVar = [models.Index(fields=["workspace", "at"], name="choice_at")]

    def __str__(self) -> str:
        return str(self.id)


class Incumbent(models.Model):
    """Who has the work now, and since when, so that it does not go back and forth. `what`: the system and task."""

    pk = models.CompositePrimaryKey("workspace_id", "what")
    workspace = workspace_value()
    what = models.CharField(max_length=300)
    agent_id = models.IntegerField()
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.what}: {self.agent_id}"


class Slice(models.Model):
    """Cases that fail more than the rest beyond doubt, as of the last look: traits as [name, value]. `evidence`: how
    often more likely what was seen is if they are worse than if they are not (an e-value)."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    what = models.TextField()
    traits: models.JSONField[Any, Any] = models.JSONField(default=list)
    n = models.IntegerField()
    failures = models.IntegerField()
    rest = models.IntegerField()
    rest_failures = models.IntegerField()
    evidence = models.FloatField()
    since = models.DateTimeField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "what"], name="one_slice")]

    def __str__(self) -> str:
        return f"{self.what}: {self.failures} of {self.n}"

    @property
    def named(self) -> dict[str, str]:
        return {str(name): str(value) for name, value in self.traits}


class Healing(models.TextChoices):
    OFF = "off", "Do nothing"
    PROPOSE = "propose", "Propose it to a person"
    APPLY = "apply", "Do it, and say so"


class Bounds(models.Model):
    """What routing may do, as an admin set it."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.CASCADE, related_name="routing")
    healing = models.CharField(max_length=7, choices=Healing, default=Healing.PROPOSE)
    exploration = models.FloatField(default=0.02, help_text="Share of the work that tries who is not thought the best")
    dwell_minutes = models.IntegerField(default=5, help_text="So long whoever has the work keeps it")
    half_life_days = models.FloatField(default=7.0, help_text="After which a call counts half")

    def __str__(self) -> str:
        return f"{self.healing}, {self.exploration:.0%}"
