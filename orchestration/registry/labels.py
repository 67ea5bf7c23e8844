"""From ids back to names, held in memory: the names of agents, applications and systems do not change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.registry.models import Agent, Application, System


@dataclass(frozen=True, slots=True)
class ApplicationLabel:
    name: str
    environment: str


@dataclass(frozen=True, slots=True)
class AgentLabel:
    name: str
    slug: str
    application_id: int


_applications: dict[int, ApplicationLabel] = {}
_agents: dict[int, AgentLabel] = {}
_systems: dict[int, str] = {}


def applications(workspace_id: int, ids: Iterable[int]) -> dict[int, ApplicationLabel]:
    missing = {i for i in ids if i and i not in _applications}
    if missing:
        for row in Application.objects.filter(workspace_id=workspace_id, id__in=missing):
            _applications[row.id] = ApplicationLabel(row.name, row.environment)
    return _applications


def agents(workspace_id: int, ids: Iterable[int]) -> dict[int, AgentLabel]:
    missing = {i for i in ids if i and i not in _agents}
    if missing:
        for row in Agent.objects.filter(workspace_id=workspace_id, id__in=missing):
            _agents[row.id] = AgentLabel(row.name, row.slug, row.application_id)
    return _agents


def systems(workspace_id: int, ids: Iterable[int]) -> dict[int, str]:
    missing = {i for i in ids if i and i not in _systems}
    if missing:
        _systems.update(System.objects.filter(workspace_id=workspace_id, id__in=missing).values_list("id", "name"))
    return _systems


def forget() -> None:
    """Empty the memory, between tests."""
    for memory in (_applications, _agents, _systems):
        memory.clear()
