"""What cases that were decided alike have in common, as bounds; and whether another case lies within them. Pure.

Bounds are never wider than what people decided: a number lies between the smallest and the largest they saw, a word is
one they saw, a field they never saw keeps a case out. Only what was different in nearly every one of at least six cases
(a shop, an item) is left free: those people have shown that it does not matter. What is asked in words has to be asked
in the same words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from escalations.closeness import FEW, tells_nothing
from orchestration.holds.likeness import Plain

Word = bool | str | list[str] | None  # None: the field was missing in a case that was decided
Fields = Mapping[str, Plain]


@dataclass(frozen=True, slots=True)
class Bounds:
    """`words`: what a field may say; `within`: between which a number lies; `free`: fields that may say anything;
    `texts`: digests of what may be asked in words, () where an act is asked."""

    words: Mapping[str, list[Word]] = field(default_factory=dict)
    within: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, shape: Mapping[str, Any], within: Mapping[str, Any]) -> Bounds:
        """As they are stored."""
        ranges = {name: (float(low), float(high)) for name, (low, high) in within.items()}
        return cls(dict(shape.get("words", {})), ranges, tuple(shape.get("free", ())), tuple(shape.get("texts", ())))

    @property
    def shape(self) -> dict[str, Any]:
        return {"words": dict(self.words), "free": list(self.free), "texts": list(self.texts)}

    def cover(self, fields: Fields, text: str) -> bool:
        if self.texts and digest(text) not in self.texts:
            return False
        names = fields.keys() | self.words.keys() | self.within.keys()
        return all(name in self.free or self._allow(name, fields.get(name)) for name in names)

    def _allow(self, name: str, value: Plain | None) -> bool:
        if isinstance(value, float):
            low, high = self.within.get(name, (1.0, 0.0))
            return low <= value <= high
        return value in self.words.get(name, ())

    def narrowed(self, wanted: Mapping[str, tuple[float, float]]) -> Bounds:
        """Within other numbers. Raises ValueError that names a field in which that would be wider, or empty."""
        for name, (low, high) in wanted.items():
            was = self.within.get(name)
            if was is None or not was[0] <= low <= high <= was[1]:
                raise ValueError(name)
        return replace(self, within={**self.within, **wanted})


def bounds(cases: Sequence[tuple[Fields, str]], *, prose: bool) -> Bounds:
    """Of cases as pairs of fields and text. `prose`: it is asked in words."""
    words: dict[str, list[Word]] = {}
    within: dict[str, tuple[float, float]] = {}
    free = []
    for name in sorted({name for fields, _ in cases for name in fields}):
        values = [fields.get(name) for fields, _ in cases]
        numbers = [value for value in values if isinstance(value, float)]
        rest = [value for value in values if not isinstance(value, float)]
        if numbers:
            within[name] = (min(numbers), max(numbers))
        elif _does_not_matter(rest):
            free.append(name)
            continue
        if rest:
            words[name] = _distinct(rest)
    texts = tuple(sorted({digest(text) for _, text in cases})) if prose else ()
    return Bounds(words, within, tuple(free), texts)


def digest(text: str) -> str:
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()


def _does_not_matter(values: Sequence[Word]) -> bool:
    told = [value for value in values if value is not None]
    return len(values) >= FEW and len(told) == len(values) and tells_nothing(told, len(values))


def _distinct(values: Iterable[Word]) -> list[Word]:
    found: list[Word] = []
    for value in values:
        if not any(value == each and type(value) is type(each) for each in found):
            found.append(value)
    return found
