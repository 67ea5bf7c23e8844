"""Which agents the names in a story mean: equal names in another program, or another environment of it, are others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import connection

from orchestration.lib.names import normal
from orchestration.registry import resolve
from orchestration.registry.models import AgentKind
from orchestration.workflows.story import Story

Who = tuple[str, str]  # application, agent


def agents(workspace_id: int, stories: Sequence[Story]) -> list[dict[Who, tuple[int, int]]]:
    """(application, agent) to ids, for each story. Names carry no environment: the one that the run's own spans came
    with is taken."""
    speaking = [_speaking(story) for story in stories]
    apps = resolve.applications_named(workspace_id, {application for each in speaking for application, _ in each})
    own = [apps | _own(story) for story in stories]
    keys = [
        {who: (mine[who[0]], normal(who[1])) for who in each if who[0] in mine}
        for mine, each in zip(own, speaking, strict=True)
    ]
    rows = {
        key: (who[1][:256], AgentKind.AI, "", "", f"{who[0]} {who[1]}" if who[0] else who[1])
        for each in keys
        for who, key in each.items()
    }
    ids = resolve.agents.ids(workspace_id, rows)
    found = [{who: (key[0], ids.get(key, 0)) for who, key in each.items()} for each in keys]
    meant = [
        {(h.to_application, h.to_agent) for h in s.handoffs if h.to_agent}.difference(f)
        for s, f in zip(stories, found, strict=True)
    ]
    known = _called(workspace_id, {normal(name) for each in meant for _, name in each}) if any(meant) else {}
    return [_meant(each, known, mine) | f for each, mine, f in zip(meant, own, found, strict=True)]


def _speaking(story: Story) -> set[Who]:
    wanted = {*story.agents, *((h.application, h.from_agent) for h in story.handoffs)}
    return {(application, name) for application, name in wanted if name}


def _own(story: Story) -> dict[str, int]:
    """Applications of the run's spans, by name."""
    return {step.application: step.ids[0] for placed in story.placed if (step := placed.step).ids[0]}


def _called(workspace_id: int, keys: set[str]) -> dict[str, list[tuple[str, int, int]]]:
    """Agents by key: name of the application, its id, the agent's."""
    known: dict[str, list[tuple[str, int, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select g.key, a.name, g.application_id, g.id from registry_agent g "
            "join registry_application a on a.id = g.application_id "
            "where g.workspace_id = %s and g.key = any(%s) order by g.id",
            [workspace_id, list(keys)],
        )
        for key, *rest in cursor:
            known.setdefault(key, []).append((rest[0], rest[1], rest[2]))
    return known


def _meant(
    wanted: set[Who], known: Mapping[str, list[tuple[str, int, int]]], own: Mapping[str, int]
) -> dict[Who, tuple[int, int]]:
    """Agents that are only spoken of, by whoever hands over to them: of the speaker's application, else the only one of
    that name. None is made: its spans may be on their way, from an application of its own."""
    found = {}
    for application, name in wanted:
        named = known.get(normal(name), [])
        near = [each for each in named if each[1] == own.get(application)]
        near = near or [each for each in named if each[0] == application][-1:] or (named if len(named) == 1 else [])
        if near:
            found[application, name] = near[0][1:]
    return found
