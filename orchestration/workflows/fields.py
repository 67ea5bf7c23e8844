"""Reads fields out of JSON that somebody wrote, and notes what is wrong with them by path, such as
`steps[2].retry.budget`: all faults at once, so that nobody mends one to meet the next. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Read = TypeVar("Read")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*\Z")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at `path`."""

    path: str
    message: str


@dataclass(slots=True)
class Fields:
    """One object of the JSON, at `path`. Each reader gives the value, or a harmless one where there is a fault."""

    given: Mapping[str, Any]
    path: str
    faults: list[Fault]
    _known: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, given: Any, path: str, faults: list[Fault]) -> Fields:
        if isinstance(given, Mapping):
            return cls(given, path, faults)
        faults.append(Fault(path, "This has to be an object."))
        return cls({}, path, faults)

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, message: str) -> None:
        self.faults.append(Fault(self.at(name), message))

    def raw(self, name: str) -> Any:
        self._known.add(name)
        return self.given.get(name)

    def text(self, name: str, most: int, *, needed: bool = False) -> str:
        value = self.raw(name)
        if value is None:
            value = ""
        if not isinstance(value, str) or _UNSEEN.search(value):
            self.wrong(name, "This has to be a text without control characters.")
            return ""
        text = value.strip()
        if len(text) > most:
            self.wrong(name, f"At most {most} characters.")
        if needed and not text:
            self.wrong(name, "This is needed.")
        return text[:most]

    def name(self, name: str, most: int = 60) -> str:
        """A text that others refer to it by."""
        value = self.text(name, most, needed=True)
        if value and not _NAME.match(value):
            self.wrong(name, "Small letters, digits, and . _ - after the first.")
        return value

    def names(self, name: str, most: int) -> tuple[str, ...]:
        """A list of texts, each once."""
        found: dict[str, None] = {}
        for place, value in enumerate(self.list(name, most)):
            if isinstance(value, str) and _NAME.match(value) and len(value) <= 60:
                found[value] = None
            else:
                self.wrong(f"{name}[{place}]", "This has to be a name.")
        return tuple(found)

    def list(self, name: str, most: int) -> list[Any]:
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(name, "This has to be a list.")
            return []
        if len(value) > most:
            self.wrong(name, f"At most {most}.")
        return value[:most]

    def flag(self, name: str, usual: bool) -> bool:
        value = self.raw(name)
        if value is None:
            return usual
        if not isinstance(value, bool):
            self.wrong(name, "This is true or false.")
            return usual
        return value

    def number(self, name: str, usual: float, least: float, most: float) -> float:
        value = self.raw(name)
        if value is None:
            return usual
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self.wrong(name, f"This has to be a number from {least:g} to {most:g}.")
            return usual
        return float(value)

    def whole(self, name: str, usual: int, least: int, most: int) -> int:
        value = self.raw(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None:
            return usual
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(name, f"This has to be a whole number from {least} to {most}.")
            return usual
        return int(value)

    def choice(self, name: str, usual: str, among: tuple[str, ...]) -> str:
        value = self.raw(name)
        if value is None:
            return usual
        if value not in among:
            self.wrong(name, f"One of {', '.join(among)}.")
            return usual
        return str(value)

    def inner(self, name: str, read: Callable[[Fields], Read]) -> Read | None:
        """An object inside this one; None where there is none."""
        value = self.raw(name)
        if value is None:
            return None
        return read(Fields.of(value, self.at(name), self.faults))

    def done(self) -> None:
        """Whatever nobody asked for is a slip of the pen, and told."""
        for name in sorted(map(str, set(self.given) - self._known)):
            self.wrong(name[:60], "There is no such field here.")
