"""On which side of the conditions' constants a fact lies. Conditions that only compare numbers with constants come out
the same for all numbers between two of those, so that what they said once need not be asked again. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestration.policies.evaluate import Rule
from orchestration.policies.syntax import Node
from orchestration.policies.vocabulary import FIELDS, Type

COMPARES = frozenset({"_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_"})
NUMBERS = frozenset({Type.NUMBER, Type.WHOLE})
WORDS = frozenset({Type.TEXT, Type.FLAG})
LIMITS = ("limit", "limits")

Key = tuple[Any, ...]


class Sides:
    """Of the facts that `rules` name; each of them has to be `decided_by_sides`."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        marks: dict[str, set[float]] = {}
        for rule in rules:
            for name, constant in _uses(rule.program.tree, rule.limits):
                marks.setdefault(name, set()).update([] if constant is None else [constant])
        found = {name: each for name, each in marks.items() if name in FIELDS}
        self._numbers = tuple((name, sorted(each)) for name, each in found.items() if FIELDS[name].type in NUMBERS)
        self._words = tuple(name for name in found if FIELDS[name].type in WORDS)

    def of(self, facts: Mapping[str, Any]) -> Key | None:
        """The same for facts of which all rules say the same. None: of these nothing can be said."""
        key: list[Any] = []
        for name, marks in self._numbers:
            value = facts.get(name)
            if value is None:
                key.append(None)
            elif type(value) is float and value == value:  # noqa: PLR0124  NaN lies nowhere
                at = bisect_left(marks, value)
                key.append(2 * at + (at < len(marks) and marks[at] == value))
            else:
                return None
        for name in self._words:
            value = facts.get(name)
            if value is not None and type(value) is not str and type(value) is not bool:
                return None
            key.append(value)
        return tuple(key)


def decided_by_sides(rule: Rule) -> bool:
    """Whether its condition reads nothing but words, flags, and numbers which it only compares with constants."""
    if any(node.kind in ("loop", "map") for node in rule.program.tree.walk()):
        return False
    return all(_plain(name, constant) for name, constant in _uses(rule.program.tree, rule.limits))


def _plain(name: str, constant: float | None) -> bool:
    if name in LIMITS:
        return True
    kind = FIELDS[name].type if name in FIELDS else None
    return kind in WORDS or (kind in NUMBERS and constant is not None)


def _uses(node: Node, limits: Mapping[str, float]) -> Iterator[tuple[str, float | None]]:
    """Each name, with the constant that it is compared with; None: something else is done with it."""
    if node.kind == "name":
        yield str(node.value), None
        return
    if node.kind == "call" and node.value in COMPARES:
        one, other = node.parts
        for fact, beside in ((one, other), (other, one)):
            constant = _constant(beside, limits)
            if fact.kind == "name" and constant is not None:
                yield str(fact.value), constant
                return
    for part in node.parts:
        yield from _uses(part, limits)


def _constant(node: Node, limits: Mapping[str, float]) -> float | None:
    path = node.path
    named = path if path == "limit" else path.removeprefix("limits.") if path.startswith("limits.") else ""
    value = node.value if node.kind == "const" else limits.get(named)
    return value if type(value) is float and value == value else None  # noqa: PLR0124
