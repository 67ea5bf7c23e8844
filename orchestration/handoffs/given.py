"""Reads what agents wrote, and notes every fault with the field and its kind, so that a program can act on it. Values
come out as PostgreSQL can hold them, and without secrets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import orjson

from orchestration.lib.names import agent_key, same_agent, speaks_for
from orchestration.telemetry.redaction import redact_attributes, redact_text

NAME_CHARS = 256
PROSE_CHARS = 2000
MOST_ITEMS = 50
MOST_DEPTH = 16
MOST_BYTES = 64 << 10  # of one value as it is stored
INT64 = 2**63
MISSING, WRONG_TYPE, TOO_LONG, TOO_MANY, TOO_FEW = "missing", "wrong_type", "too_long", "too_many", "too_few"
UNKNOWN, NOT_ALLOWED, OUT_OF_RANGE = "unknown", "not_allowed", "out_of_range"


@dataclass(frozen=True, slots=True)
class Fault:
    field: str
    kind: str
    message: str

    @property
    def told(self) -> dict[str, str]:
        return {"field": self.field, "type": self.kind, "message": self.message}


class Wrong(ValueError):
    """What was sent cannot be taken; `faults` name every field that is at fault."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(f"{each.field}: {each.message}".removeprefix(": ") for each in self.faults))


class Given:
    """An object that somebody sent."""

    def __init__(self, given: Any, parts: Iterable[str], what: str) -> None:
        self.faults: list[Fault] = []
        self.given: Mapping[str, Any] = given if isinstance(given, dict) else {}
        if not isinstance(given, dict):
            self.wrong("", WRONG_TYPE, f"{what} is an object with {', '.join(parts)}.")
            return
        for name in sorted(set(given) - set(parts)):
            self.wrong(plain(name)[:80], UNKNOWN, f"{what} has no such part.")

    def wrong(self, field: str, kind: str, message: str) -> None:
        self.faults.append(Fault(field, kind, message))

    def checked(self) -> None:
        """Raises Wrong."""
        if self.faults:
            raise Wrong(self.faults)

    def text(self, name: str, most: int = NAME_CHARS, *, needed: bool = False) -> str:
        value = self.given.get(name)
        if value is None and not needed:
            return ""
        if value is None or (isinstance(value, str) and not value.strip()):
            if needed:
                self.wrong(name, MISSING, "This text is needed.")
            return ""
        if not isinstance(value, str):
            self.wrong(name, WRONG_TYPE, "This is a text.")
            return ""
        if len(value) > most:
            self.wrong(name, TOO_LONG, f"At most {most} characters.")
        return value[:most].replace("\0", "\ufffd").strip()

    def prose(self, name: str, *, needed: bool = False) -> str:
        """Without secrets."""
        return redact_text(self.text(name, PROSE_CHARS, needed=needed))[0]

    def listed(self, name: str) -> list[Any]:
        """Texts and objects. A list is needed even where it is empty: to say that there is nothing is a statement."""
        value = self.given.get(name)
        if value is None:
            self.wrong(name, MISSING, "This list is needed, empty where there is none.")
            return []
        if not isinstance(value, list) or not all(isinstance(each, str | dict) for each in value):
            self.wrong(name, WRONG_TYPE, "This is a list of texts or objects.")
            return []
        if len(value) > MOST_ITEMS:
            self.wrong(name, TOO_MANY, f"At most {MOST_ITEMS}.")
            return []
        return list(self._clean(name, dict(enumerate_(value))).values())

    def pairs(self, name: str) -> dict[str, Any]:
        """Named values."""
        value = self.given.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.wrong(name, WRONG_TYPE, "This is an object.")
            return {}
        if len(value) > MOST_ITEMS:
            self.wrong(name, TOO_MANY, f"At most {MOST_ITEMS}.")
            return {}
        return self._clean(name, value)

    def value(self, name: str) -> Any:
        """Anything that JSON can say."""
        return self._clean(name, {name: self.given.get(name)}).get(name)

    def _clean(self, name: str, pairs: dict[str, Any]) -> dict[str, Any]:
        if not shallow(pairs, MOST_DEPTH):
            self.wrong(name, TOO_MANY, f"Nested more than {MOST_DEPTH} deep.")
            return {}
        found = redact_attributes(plain(pairs))[0]
        if len(orjson.dumps(found)) > MOST_BYTES:
            self.wrong(name, TOO_LONG, f"At most {MOST_BYTES >> 10} KiB.")
            return {}
        return found

    def number(self, name: str, usual: float | None, least: float, most: float) -> float | None:
        value = self.given.get(name)
        if value is None:
            return usual
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(name, WRONG_TYPE, "This is a number.")
            return usual
        if not least <= value <= most:
            self.wrong(name, OUT_OF_RANGE, f"From {least:g} to {most:g}.")
            return usual
        return float(value)

    def instant(self, name: str, now: datetime, latest: timedelta) -> datetime | None:
        """A time to come."""
        value = self.given.get(name)
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else None
            at = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC) if found else None
        except (ValueError, OverflowError):
            at = None
        if at is None:
            self.wrong(name, WRONG_TYPE, "This is a time as RFC 3339 has it.")
        elif not now < at <= now + latest:
            self.wrong(name, OUT_OF_RANGE, f"A time to come within {latest.days} days.")
        return at


def enumerate_(values: list[Any]) -> Iterable[tuple[str, Any]]:
    return ((str(place), value) for place, value in enumerate(values))


def shallow(value: Any, room: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return room > 0 and all(shallow(each, room - 1) for each in inner)


def plain(value: Any) -> Any:
    """Values that PostgreSQL can hold."""
    if isinstance(value, dict):
        return {str(key).replace("\0", "\ufffd"): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= INT64:
        return str(value)[:40]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who sends: a key of a workspace, and the agents it may speak for (empty: any)."""

    workspace_id: int
    key_id: int
    agents: frozenset[str] = frozenset()

    def may(self, agent: str) -> bool:
        return speaks_for(self.agents, agent)

    def vouches(self, agent: str) -> bool:
        """Whether it is sure that this agent speaks, and not one of the same name elsewhere."""
        return not self.agents or any("/" in each and same_agent(each, agent) for each in self.agents)

    @property
    def keys(self) -> set[str]:
        return {agent_key(each) for each in self.agents}


Free = Callable[[Speaker, str, str], None]  # raises where the agent may take nothing on in that run now


def anybody(speaker: Speaker, agent: str, run: str) -> None:
    """Nobody is stopped."""


class NotYours(PermissionError):
    """The key does not speak for this agent."""

    def __init__(self, agent: str) -> None:
        super().__init__(f"This key does not speak for the agent {agent}.")


class KeyUsed(ValueError):
    """The same idempotency key came with another body."""


class TooLate(Exception):
    """It has gone on meanwhile; the words say how. `told` is the thing as it stands."""

    def __init__(self, words: str, told: Mapping[str, Any] | None = None) -> None:
        super().__init__(words)
        self.told = dict(told or {})
