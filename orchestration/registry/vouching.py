"""Which agents a key speaks for. A key without a list vouches for whatever it sends; what another one says of agents
that are not on its list is kept, shown as claimed, and counts for nobody."""

from __future__ import annotations

from collections.abc import Iterable

from orchestration.lib.names import normal
from orchestration.workspaces.models import ApiKey


def vouched_agents(keys: Iterable[int]) -> dict[int, frozenset[str]]:
    """Names (without case, - and _) by id of key, for those keys that have a list. `application/name` counts as the
    name alone: the application is what the telemetry says it is."""
    listed = listed_agents(keys)
    return {pk: frozenset(normal(agent.rpartition("/")[2]) for agent in agents) for pk, agents in listed.items()}


def listed_agents(keys: Iterable[int]) -> dict[int, list[str]]:
    """The same as they were written, for `lib.names.speaks_for`: of what says of itself which application it is."""
    rows = ApiKey.objects.filter(pk__in=set(keys)).exclude(agents=[])
    return dict(rows.values_list("pk", "agents"))
