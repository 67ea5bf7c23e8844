"""How far apart two cases of one key are, field by field. Pure.

Each field is measured by what is usual in the key: a number by its robust spread there, a word by how often two cases
agree in it. A distance of one is a difference that a reviewer should see; what differs in nearly every case (a shop, a
supplier) tells nothing and stays below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import asinh, log
from statistics import median
from typing import Any
from uuid import UUID

from escalations import odds, texts
from orchestration.holds.likeness import CONFIDENCE, Plain

TEXT = "text"
FEW = 6  # values by which a field's usual spread may be told
SPREADS = 4.5  # robust standard deviations within which numbers are alike
WIDEST_LOG = log(8)  # alike amounts differ by this factor at most, however widely a kind is spread
UNKNOWN_LOG = log(4)
UNKNOWN_SHARE = 0.25
DIVERSE, DIVERSE_KINDS = 0.35, 4  # chance that two agree, and kinds, from which a word tells nothing
MILD = 0.5  # of a difference that may be chance
FLOOR = 0.6  # of an agent's own confidence, below which nothing starts selected
SURE_WIDTH = 0.15
TELLING = 1.5  # log odds of being wrong, by which a difference in one field counts


@dataclass(frozen=True, slots=True)
class Case:
    """`order`: by when it was opened, so that the same cases are always looked at in the same order."""

    id: UUID
    fields: Mapping[str, Plain]
    text: str = ""
    order: Any = 0


@dataclass(frozen=True, slots=True)
class Number:
    """How a number is measured: on a log scale or not, and which difference counts as one."""

    log: bool
    width: float

    def apart(self, one: float, other: float) -> float:
        if self.log:
            return abs(asinh(one * 50) - asinh(other * 50)) / self.width
        width = self.width or max(abs(one), abs(other)) * 3 * UNKNOWN_SHARE or 1.0
        return abs(one - other) / width


@dataclass(slots=True)
class Measure:
    """What is usual in a key. `prose`: cases are asked in words, so that the text decides; `said`: below which
    likeness texts are about something else; `deep`: texts as vectors, where many were looked at together; `model`: what
    verdicts have taught."""

    numbers: dict[str, Number] = field(default_factory=dict)
    mild: frozenset[str] = frozenset()
    rare: dict[str, float] = field(default_factory=dict)
    prose: bool = False
    said: float = 0.3
    model: odds.Model | None = None
    deep: Mapping[UUID, Any] = field(default_factory=dict)
    _bags: dict[UUID, dict[str, float]] = field(default_factory=dict)
    _says: dict[tuple[str, str], float | None] = field(default_factory=dict)

    def bag(self, case: Case) -> dict[str, float]:
        found = self._bags.get(case.id)
        if found is None:
            found = self._bags[case.id] = texts.weighed(texts.bag(case.text), self.rare)
        return found

    def apart(self, name: str, one: Plain | None, other: Plain | None) -> float:
        """In one field; above one is a difference."""
        if one == other:
            return 0.0
        if self.model is not None and (mine := self.says(name, one)) is not None:
            theirs = self.says(name, other)
            return abs(mine - (theirs or 0.0)) / TELLING
        weight = MILD if name in self.mild else 1.01
        if one is None or other is None or type(one) is not type(other):
            return weight
        if isinstance(one, float) and isinstance(other, float):
            number = self.numbers.get(name)
            return number.apart(one, other) if number else weight
        if isinstance(one, list) and isinstance(other, list):
            return weight * 2 * (1 - _jaccard(one, other))
        return weight

    def says(self, name: str, value: Plain | None) -> float | None:
        """What people's verdicts have shown the value to mean. Known by value, since few values are many cases."""
        at = (name, str(value))
        if at not in self._says:
            self._says[at] = odds.says(self.model, name, value) if self.model else None
        return self._says[at]

    def risk(self, case: Case) -> float | None:
        return odds.chance(self.model, case.fields) if self.model else None

    def words_apart(self, one: Case, other: Case) -> float:
        if not self.prose or one.text == other.text:
            return 0.0
        if one.id in self.deep and other.id in self.deep:
            likeness = float(self.deep[one.id] @ self.deep[other.id])
        else:
            likeness = texts.close(self.bag(one), self.bag(other))
        return (1 - likeness) / (1 - self.said)

    def differences(self, one: Case, other: Case) -> dict[str, float]:
        """Fields in which they differ, and by how much."""
        found = {}
        for name in one.fields.keys() | other.fields.keys():
            distance = self.apart(name, one.fields.get(name), other.fields.get(name))
            if distance > 1:
                found[name] = distance
        if (distance := self.words_apart(one, other)) > 1:
            found[TEXT] = distance
        return found

    def alike(self, one: Case, other: Case) -> bool:
        fields, others = one.fields, other.fields
        for name, value in fields.items():
            if self.apart(name, value, others.get(name)) > 1:
                return False
        for name, value in others.items():
            if name not in fields and self.apart(name, None, value) > 1:
                return False
        return self.words_apart(one, other) <= 1


def measure(known: Sequence[Case], *, prose: bool = False, model: odds.Model | None = None) -> Measure:
    """By the cases of a key, those that are open and some that were; and by what verdicts have taught of its fields."""
    columns: dict[str, list[Plain]] = {}
    for case in known:
        for name, value in case.fields.items():
            columns.setdefault(name, []).append(value)
    found = Measure(prose=prose, model=model)
    mild = set()
    for name, values in columns.items():
        numbers = [value for value in values if isinstance(value, float)]
        if len(numbers) == len(values):
            if number := _number(name, numbers):
                found.numbers[name] = number
        elif tells_nothing(values, len(known)):
            mild.add(name)
    found.mild = frozenset(mild)
    if prose:
        found.rare = texts.rarity(texts.bag(case.text) for case in known)
    return found


def _number(name: str, values: list[float]) -> Number | None:
    """None for small counts: two of something is not one of it."""
    if name == CONFIDENCE:
        return Number(log=False, width=SURE_WIDTH)
    whole = all(value.is_integer() and abs(value) <= 10 for value in values)
    if whole and len(set(values)) <= DIVERSE_KINDS:
        return None
    share = all(0 <= value <= 1 for value in values)
    by_log = name == "amount" or (not share and min(values) >= 0 and max(values) > 20 * max(1.0, median(values) / 4))
    if len(values) < FEW:
        return Number(by_log, UNKNOWN_LOG if by_log else UNKNOWN_SHARE if share else 0.0)
    scaled = sorted(asinh(value * 50) if by_log else value for value in values)
    width = SPREADS * _spread(scaled)
    if by_log:
        return Number(True, min(max(width, log(1.5)), WIDEST_LOG))
    return Number(False, max(width, 0.1 * max(abs(scaled[0]), abs(scaled[-1]))))


def _spread(values: list[float]) -> float:
    """As a standard deviation would be if the values were normal, whatever a few of them are. `values` are sorted."""
    quarter = len(values) // 4
    return (values[-1 - quarter] - values[quarter]) / 1.349


def tells_nothing(values: Iterable[Plain], cases: int) -> bool:
    kinds = Counter(value if not isinstance(value, list) else "\0".join(value) for value in values)
    n = sum(kinds.values())
    if any(isinstance(kind, bool) for kind in kinds):
        return False
    if n < FEW or cases < FEW:
        return len(kinds) == n and n > 1
    agree = sum(count * (count - 1) for count in kinds.values()) / (n * (n - 1))
    return len(kinds) >= DIVERSE_KINDS and agree <= DIVERSE


def _jaccard(one: list[str], other: list[str]) -> float:
    ones, others = set(one), set(other)
    return len(ones & others) / len(ones | others)
