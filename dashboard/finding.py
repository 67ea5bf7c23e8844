"""A finding: the sentence a page opens with, put together from measured values by fixed branches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a sentence; foreign text is shown as such, and a number leads to its evidence."""

    text: str
    href: str = ""
    foreign: bool = False
    tone: str = ""  # human | crit | ok: whose time or trouble it is


@dataclass(frozen=True, slots=True)
class Finding:
    title: tuple[Part, ...]
    lede: tuple[Part, ...] = ()

    @property
    def words(self) -> str:
        """The title as plain text, for tests and labels."""
        return in_words(self.title)


def in_words(parts: tuple[Part, ...]) -> str:
    return "".join(part.text for part in parts)


def say(*parts: str | Part) -> tuple[Part, ...]:
    return tuple(part if isinstance(part, Part) else Part(part) for part in parts)


def foreign(text: str, href: str = "") -> Part:
    return Part(text, href, foreign=True)
