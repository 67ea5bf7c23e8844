"""The brief of a batch: sentences made from its facts by templates. It says what is alike and what differs, and never
what to decide. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from escalations.words import label, shown

Case = Mapping[str, Any]
NUMBERS = ("None", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
MOST_ALIKE, MOST_DIFFERING, MOST_NAMED = 3, 4, 3
_SKIPPED = ("text", "amount")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a sentence. `said`: came from an agent or an endpoint, and is shown as such. `unfound`: of a draft,
    what the cases do not hold."""

    text: str
    strong: bool = False
    said: bool = False
    unfound: bool = False


@dataclass(frozen=True, slots=True)
class Brief:
    """`facts`: how many stand in it, each read from the cases themselves, or found there again where an endpoint wrote
    it: then `by` is its model, and `unfound` how many were not found."""

    sentences: list[list[Piece]] = field(default_factory=list)
    facts: int = 0
    by: str = ""
    unfound: int = 0

    @property
    def words(self) -> str:
        return " ".join("".join(piece.text for piece in sentence) for sentence in self.sentences)


@dataclass(frozen=True, slots=True)
class Told:
    """One case: its number in the batch, its fields, and by which of them it differs."""

    number: int
    fields: Case
    differs: Sequence[str] = ()


def brief(cases: Sequence[Told]) -> Brief | None:
    """None for a case on its own: the pane beside it says it all."""
    if len(cases) < 2:
        return None
    odd = [case for case in cases if case.differs]
    alike = [case for case in cases if not case.differs]
    marked = {name for case in odd for name in case.differs}
    told = [_alike(alike, marked), *(_differs(case, alike) for case in odd[:MOST_NAMED])]
    sentences = [pieces for pieces, _ in told if pieces]
    if len(odd) > MOST_NAMED:
        sentences.append([Piece(f"{count(len(odd) - MOST_NAMED)} more differ.")])
    facts = sum(facts for _, facts in told)
    return Brief(sentences, facts) if facts else None


def count(n: int) -> str:
    return NUMBERS[n] if n < len(NUMBERS) else f"{n:,}"


def _alike(cases: Sequence[Told], marked: Collection[str]) -> tuple[list[Piece], int]:
    """Between what the amounts of those that are alike lie, and what is the same in them: first that by which others
    differ (`marked`)."""
    if not cases:
        return [], 0
    first = cases[0].fields
    same = [
        name
        for name in sorted(first, key=lambda name: (name not in marked, name))
        if name not in _SKIPPED and _plain(first[name]) and all(case.fields.get(name) == first[name] for case in cases)
    ]
    named = [_named(name, first[name]) for name in same]
    if amounts := _amounts(cases):
        named.insert(0, [Piece("amount "), Piece(amounts)])
    named = named[: MOST_ALIKE + bool(amounts)]
    if not named:
        return [], 0
    who = f"All {len(cases):,} have" if not marked else f"{count(len(cases))} {'has' if len(cases) == 1 else 'have'}"
    return [Piece(f"{who} "), *_joined(named), Piece(".")], len(named)


def _amounts(cases: Sequence[Told]) -> str:
    known = [case.fields.get("amount") for case in cases]
    numbers = [each for each in known if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) < len(known):
        return ""
    low, high = min(numbers), max(numbers)
    return f"{low:,.2f}" if low == high else f"{low:,.2f} to {high:,.2f}"


def _differs(case: Told, alike: Sequence[Told]) -> tuple[list[Piece], int]:
    names = [name for name in case.differs if name in case.fields and _plain(case.fields[name])][:MOST_DIFFERING]
    start = Piece(f"Case {case.number} differs", strong=True)
    if not names:
        return [start, Piece(".")], 1
    named = [[*_named(name, case.fields[name]), *_instead(name, alike)] for name in names]
    return [start, Piece(": "), *_joined(named), Piece(".")], len(named)


def _named(name: str, value: Any) -> list[Piece]:
    return [Piece(label(name).lower(), said=True), Piece(" "), Piece(_value(name, value), said=True)]


def _instead(name: str, alike: Sequence[Told]) -> list[Piece]:
    """What all the others say, where they say the same."""
    values = {_value(name, case.fields[name]) for case in alike if name in case.fields}
    return [Piece(" instead of "), Piece(values.pop(), said=True)] if len(values) == 1 else []


def _value(name: str, value: Any) -> str:
    text = str(shown(name, value))
    return text if len(text) <= 60 else f"{text[:59]}…"


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool) and value != ""


def _joined(named: Sequence[Sequence[Piece]]) -> list[Piece]:
    found: list[Piece] = []
    for place, pieces in enumerate(named):
        if place:
            found.append(Piece("; "))  # names may hold commas
        found.extend(pieces)
    return found
