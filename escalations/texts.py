"""Texts as bags of their words and of pieces of words, and how close two are. Pure, and without any library: one more
case has to find its batch within a second. `grouping` looks at many texts at once, and more deeply.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from math import log, sqrt

Bag = Mapping[str, float]

PIECE = 4  # characters
MOST_CHARS = 600
_WORD = re.compile(r"[^\W\d_]+")


def bag(text: str) -> Counter[str]:
    """Words, and pieces of words with their ends. Numbers are left out: what they say stands in the fields."""
    found: Counter[str] = Counter()
    for word in _WORD.findall(text[:MOST_CHARS].casefold()):
        found[word] += 1
        framed = f"<{word}>"
        for at in range(max(1, len(framed) - PIECE + 1)):
            found[f"#{framed[at : at + PIECE]}"] += 1
    return found


def rarity(bags: Iterable[Mapping[str, int]]) -> dict[str, float]:
    """How much each part of a text tells: what stands in every text of a kind tells little."""
    seen: Counter[str] = Counter()
    n = 0
    for each in bags:
        n += 1
        seen.update(each.keys())
    return {part: log((1 + n) / (1 + count)) + 0.1 for part, count in seen.items()}


def weighed(given: Mapping[str, int], rare: Mapping[str, float]) -> dict[str, float]:
    """Of length one. Pieces of words count for half, since there are many."""
    raw = {
        part: (1 + log(count)) * rare.get(part, 1.0) * (0.5 if part.startswith("#") else 1.0)
        for part, count in given.items()
    }
    length = sqrt(sum(value * value for value in raw.values())) or 1.0
    return {part: value / length for part, value in raw.items()}


def close(one: Bag, other: Bag) -> float:
    """0 nothing in common, 1 the same."""
    if len(one) > len(other):
        one, other = other, one
    return sum(value * other[part] for part, value in one.items() if part in other)
