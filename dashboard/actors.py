"""Who acted, by name: a person, a key, an agent, or Baton itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestration.workspaces.models import ApiKey


def keys_among(workspace_id: int, actors: Iterable[str]) -> dict[str, str]:
    """What the keys that acted are called, by their number. `actors` are of the form `key:3`, `person:mia`."""
    ids = {who for kind, _, who in (actor.partition(":") for actor in actors) if kind == "key" and who.isdecimal()}
    found = ApiKey.objects.filter(workspace=workspace_id, id__in=ids) if ids else ApiKey.objects.none()
    return {str(key_id): name for key_id, name in found.values_list("id", "name")}


def key(number: str, keys: Mapping[str, str]) -> str:
    return f"key {keys.get(number, number)}"
