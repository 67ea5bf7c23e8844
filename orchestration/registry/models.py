"""Who acts and what is acted upon: applications, agents, systems, prices."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from orchestration.workspaces.models import Workspace


class Application(models.Model):
    """The program agents run in (`service.name`); its environment tells equal agent names apart."""

    id = models.AutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    name = models.CharField(max_length=256)
    environment = models.CharField(max_length=256, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "name", "environment"], name="one_application_a_name")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.environment})" if self.environment else self.name


class AgentKind(models.TextChoices):
    AI = "ai", "AI agent"
    RPA = "rpa", "RPA bot"
    RULES = "rules", "Rules engine"
    SCRIPT = "script", "Script"
    WORKFLOW = "workflow", "Workflow tool"


class Agent(models.Model):
    """Anything automated that acts. Identity: application (with environment) and `key`, the name without case, hyphen
    and underscore."""

    id = models.AutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    application = models.ForeignKey(Application, on_delete=models.CASCADE)
    key = models.CharField(max_length=768)  # a name without case may be three times as long
    name = models.CharField(max_length=256)
    slug = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=AgentKind, default=AgentKind.AI)
    external_id = models.CharField(max_length=256, default="", blank=True)
    version = models.CharField(max_length=256, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "application", "key"], name="one_agent_a_name"),
            models.UniqueConstraint(fields=["workspace", "slug"], name="one_agent_a_slug"),
        ]

    def __str__(self) -> str:
        return self.name


class SystemKind(models.TextChoices):
    SYSTEM = "system", "System"
    MODEL = "model", "Model"


class System(models.Model):
    """What agents act upon or read from. A language model is one too, of kind `model`, so that tokens, failures and
    latency by model come out of the same figures as those of any other system."""

    id = models.AutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    kind = models.CharField(max_length=8, choices=SystemKind, default=SystemKind.SYSTEM)
    key = models.CharField(max_length=768)  # a name without case may be three times as long
    name = models.CharField(max_length=256)
    slug = models.CharField(max_length=200)
    provider = models.CharField(max_length=256, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "kind", "key"], name="one_system_a_name"),
            models.UniqueConstraint(fields=["workspace", "slug"], name="one_system_a_slug"),
        ]

    def __str__(self) -> str:
        return self.name


class ToolSystem(models.Model):
    """An admin's word that a tool touches a system; without one the tool's own name stands for it."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    tool = models.CharField(max_length=256)
    system = models.CharField(max_length=256)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "tool"], name="one_system_a_tool")]

    def __str__(self) -> str:
        return f"{self.tool} → {self.system}"


class PriceQuerySet(models.QuerySet["Price"]):
    def current(self) -> PriceQuerySet:
        return self.filter(retired_at=None)


class Price(models.Model):
    """What a million tokens of a model cost, in the workspace's currency. The longest row that the model's name
    begins with applies, if only a date or release follows: `gpt-4.1` covers `gpt-4.1-2025-04-14`, never `-mini`."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    model = models.CharField(max_length=120)
    input = models.DecimalField(max_digits=12, decimal_places=4, help_text="A million input tokens")
    output = models.DecimalField(max_digits=12, decimal_places=4, help_text="A million output tokens")
    cached = models.DecimalField(
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="A million cached input tokens; empty: as input",
    )
    changed_at = models.DateTimeField(auto_now=True)
    retired_at = models.DateTimeField(null=True, blank=True, help_text="Since when it prices nothing any more")

    objects = PriceQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "model"], name="one_price_a_model")]

    def __str__(self) -> str:
        return self.model
