"""Who is meant by a name in a handoff: agents of equal names in different applications are different agents.

A bare name is the one agent of that name; where several have it, the one in the application of the other side; else
nobody can tell, and the name alone counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from orchestration.lib.names import agent_key
from orchestration.lib.remembering import Remembered
from orchestration.registry.models import Agent


@dataclass(frozen=True, slots=True)
class Party:
    """`key`: the name as it is compared; `app`: its application without capitals, "" where that is not known."""

    key: str
    app: str = ""

    @property
    def text(self) -> str:
        return f"{self.app}/{self.key}" if self.app else self.key

    @property
    def keys(self) -> list[str]:
        """By which something about it may be kept: what is known of the name alone is about it too."""
        return [self.text, self.key] if self.app else [self.key]


Pair = tuple[Party, Party]
_known: Remembered[tuple[int, str], frozenset[str]] = Remembered(fresh_s=10.0)


def party(workspace_id: int, name: str, near: str = "") -> Party:
    """`near`: the application of the other side."""
    key, said = agent_key(name), name.rpartition("/")[0].casefold()
    if said or not key:
        return Party(key, said)
    apps = _applications(workspace_id, key)
    return Party(key, next(iter(apps)) if len(apps) == 1 else near if near in apps else "")


def between(workspace_id: int, sender: str, receiver: str) -> Pair:
    first = party(workspace_id, sender)
    second = party(workspace_id, receiver, first.app)
    return (first if first.app else party(workspace_id, sender, second.app)), second


def is_(part: str, one: Party) -> Q:
    """Envelopes whose sender or receiver this may be. Of a name that several have, those that say no more."""
    found = Q(**{f"{part}_key": one.key})
    return found & (Q(**{f"{part}_app": ""}) | Q(**{f"{part}_app": one.app})) if one.app else found


def agents(workspace_id: int, one: Party) -> list[int]:
    """Ids of the agents that are meant."""
    found = Agent.objects.filter(workspace_id=workspace_id, key=one.key)
    if one.app:
        found = found.filter(application__name__iexact=one.app)
    return list(found.values_list("pk", flat=True))


def forget() -> None:
    """Empty the memory, between tests."""
    _known.clear()


def _applications(workspace_id: int, key: str) -> frozenset[str]:
    return _known.of((workspace_id, key), lambda: _look(workspace_id, key))


def _look(workspace_id: int, key: str) -> frozenset[str]:
    rows = Agent.objects.filter(workspace_id=workspace_id, key=key).values_list("application__name", flat=True)
    return frozenset(name.casefold() for name in rows)
