"""For whom and what a policy speaks. Each part is a list of names, and an empty list means any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MOST_NAMES = 100
NAME_CHARS = 256
# The facts that scopes are held against, by their part
_FACTS = {
    "types": ("action.type",),
    "systems": ("action.system",),
    "kinds": ("agent.kind",),
    "workflows": ("run.workflow",),
    "agents": ("agent.name", "agent.application"),
}
READS = tuple(name for names in _FACTS.values() for name in names)


class BadScope(ValueError):
    """`field` is the part that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Scope:
    """Names without case. `payment.*` takes whatever begins with `payment.`; an agent may be `application/name`."""

    workflows: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Scope:
        """Out of JSON. Raises BadScope."""
        unknown = sorted(set(stored) - set(PARTS))
        if unknown:
            raise BadScope(unknown[0], f"A scope has no part {unknown[0]}: it knows {', '.join(PARTS)}.")
        return cls(**{part: _names(part, stored.get(part) or ()) for part in PARTS})

    def stored(self) -> dict[str, list[str]]:
        return {part: list(names) for part in PARTS if (names := getattr(self, part))}

    @property
    def reads(self) -> frozenset[str]:
        """The facts that decide whether it takes an act."""
        return frozenset(name for part, names in _FACTS.items() if getattr(self, part) for name in names)

    def takes(self, facts: Mapping[str, Any]) -> bool:
        for names, fact in (
            (self.types, "action.type"),
            (self.systems, "action.system"),
            (self.kinds, "agent.kind"),
            (self.workflows, "run.workflow"),
        ):
            if names and not _among(names, str(facts.get(fact) or "")):
                return False
        if not self.agents:
            return True
        name, application = str(facts.get("agent.name") or ""), str(facts.get("agent.application") or "")
        return _among(self.agents, name) or (bool(application) and _among(self.agents, f"{application}/{name}"))


PARTS = tuple(field.name for field in fields(Scope))


def _names(part: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        raise BadScope(part, "This part of a scope is a list of names.")
    names = tuple(dict.fromkeys(name.strip() for name in given if name.strip()))
    if len(names) > MOST_NAMES:
        raise BadScope(part, f"At most {MOST_NAMES} names fit here; an end like payment.* takes many at once.")
    if any(len(name) > NAME_CHARS for name in names):
        raise BadScope(part, f"A name has at most {NAME_CHARS} characters.")
    return names


def _among(names: tuple[str, ...], given: str) -> bool:
    folded = given.casefold()
    for name in names:
        wanted = name.casefold()
        if wanted == folded or (wanted.endswith("*") and folded.startswith(wanted[:-1])):
            return True
    return False
