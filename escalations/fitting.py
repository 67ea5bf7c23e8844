"""Learns from verdicts how likely it is that approving a case would be wrong. Needs much memory for a moment: only for
the queue whose processes end with their task; what it has learnt is a row (`odds`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import asinh, log
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from escalations.odds import chance, scaled, word
from orchestration.holds.likeness import Plain
from orchestration.lib.stats import ENOUGH

if TYPE_CHECKING:
    from numpy import ndarray

Fields = Mapping[str, Plain]

TELLING = 5  # wrong ones, and right ones, from which a model may tell cases apart
MOST_NUMBERS, MOST_WORDS, RARE = 24, 24, 5
FOLDS = 5
WRONG_AT_MOST = 0.04  # of what starts selected
LEFT_OUT = ("reversible", "evidence.count", "known.")  # what the past was not asked for


@dataclass(slots=True)
class Shape:
    """Which columns there are, and how a number is read."""

    numbers: dict[str, dict[str, Any]] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)

    def row(self, fields: Fields) -> list[float]:
        found: list[float] = []
        for name, told in self.numbers.items():
            value = fields.get(name)
            if isinstance(value, float):
                at = scaled(value, log=told["log"], middle=told["middle"], scale=told["scale"])
                found += [at, 0.0, *(max(0.0, at - bend) for bend in told["bends"])]
            else:
                found += [0.0, 1.0, *(0.0 for _ in told["bends"])]
        for name, values in self.words.items():
            mine = word(fields.get(name))
            found += [float(mine == value) for value in values]
        return found

    def told(self, weights: Sequence[float], bias: float) -> dict[str, Any]:
        """As `odds.chance` reads it."""
        left = iter(weights)
        numbers = {}
        for name, shape in self.numbers.items():
            weight, absent = next(left), next(left)
            bends = [[bend, next(left)] for bend in shape["bends"]]
            numbers[name] = {**shape, "weight": weight, "absent": absent, "bends": bends}
        words = {name: {value: next(left) for value in values} for name, values in self.words.items()}
        return {"bias": bias, "numbers": numbers, "words": words}


def fit(seen: Sequence[tuple[Fields, bool]]) -> dict[str, Any] | None:
    """Of cases and whether approving them was, or would have been, wrong. None where too few were judged."""
    if len(seen) < ENOUGH:
        return None
    wrong = sum(bad for _, bad in seen)
    if min(wrong, len(seen) - wrong) < TELLING:
        share = (wrong + 0.5) / (len(seen) + 1)
        return {"bias": _logit(share), "numbers": {}, "words": {}} | _worth([share] * len(seen), seen)
    shape = shape_of([fields for fields, _ in seen])
    model, unseen = _fitted(shape, seen)
    return model | _worth(unseen, seen)


def shape_of(seen: Sequence[Fields]) -> Shape:
    columns: dict[str, list[Plain]] = {}
    for fields in seen:
        for name, value in fields.items():
            if not name.startswith(LEFT_OUT):
                columns.setdefault(name, []).append(value)
    found = Shape()
    for name, values in sorted(columns.items(), key=lambda item: (-len(item[1]), item[0])):
        numbers = [value for value in values if isinstance(value, float)]
        if len(numbers) < len(values):
            if len(found.words) < MOST_WORDS and (usual := _usual(name, seen)):
                found.words[name] = usual
        elif len(set(numbers)) > 1 and len(found.numbers) < MOST_NUMBERS:
            found.numbers[name] = _scale(name, numbers)
    return found


def _usual(name: str, seen: Sequence[Fields]) -> list[str]:
    """Values that come often enough to say something, and not in every case."""
    kinds = Counter(word(fields.get(name)) for fields in seen)
    return [value for value, count in kinds.most_common(8) if RARE <= count < len(seen)]


def _scale(name: str, values: list[float]) -> dict[str, Any]:
    by_log = name == "amount" or (min(values) >= 0 and max(values) > 50)
    read = [asinh(value * 50) if by_log else value for value in values]
    middle = sum(read) / len(read)
    scale = (sum((value - middle) ** 2 for value in read) / len(read)) ** 0.5 or 1.0
    bends = sorted({round((cut - middle) / scale, 3) for cut in quantiles(read, n=4)}) if len(set(read)) > 6 else []
    return {"log": by_log, "middle": middle, "scale": scale, "bends": bends}


def _fitted(shape: Shape, seen: Sequence[tuple[Fields, bool]]) -> tuple[dict[str, Any], list[float]]:
    """The model of all, and for each case the chance that a model gave it which had not seen it."""
    import numpy as np  # noqa: PLC0415  only where it is needed: it takes 60 MB
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    rows = np.array([shape.row(fields) for fields, _ in seen])
    bad = np.array([wrong for _, wrong in seen])
    unseen = np.zeros(len(seen))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for known, asked in folds.split(rows, bad):
        model = _one(shape, rows[known], bad[known])
        for place in asked:
            unseen[place] = chance(model, seen[place][0])
    return _one(shape, rows, bad), [float(each) for each in unseen]


def _one(shape: Shape, rows: ndarray[Any, Any], bad: ndarray[Any, Any]) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    fitted = LogisticRegression(C=0.3, max_iter=500).fit(rows, bad)
    return shape.told([float(weight) for weight in fitted.coef_[0]], float(fitted.intercept_[0]))


def _worth(unseen: Sequence[float], seen: Sequence[tuple[Fields, bool]]) -> dict[str, Any]:
    """By the chance given: how many, and how many wrong; and up to which chance nearly all were right."""
    order = sorted(zip(unseen, (bad for _, bad in seen), strict=True))
    return {"bins": _bins(order), "cut": _cut(order)}


def _bins(order: Sequence[tuple[float, bool]]) -> list[list[float]]:
    size = max(ENOUGH, len(order) // 8)
    found: list[list[float]] = []
    for begin in range(0, len(order), size):
        part = order[begin : begin + size]
        if len(part) < ENOUGH and found:
            found[-1] = [part[-1][0], found[-1][1] + len(part), found[-1][2] + sum(bad for _, bad in part)]
        else:
            found.append([part[-1][0], len(part), sum(bad for _, bad in part)])
    return found


def _cut(order: Sequence[tuple[float, bool]]) -> float:
    cut, wrong = 0.0, 0
    for count, (given, bad) in enumerate(order, 1):
        wrong += bad
        if count >= ENOUGH and wrong + 1 <= WRONG_AT_MOST * count:
            cut = given
    return cut


def _logit(share: float) -> float:
    return log(share / (1 - share))
