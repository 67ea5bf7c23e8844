"""How likely it is that approving a case would be wrong, by what people said of such cases and what came of them. Pure:
the model is a row that `fitting` wrote, and reading it needs no library.

A model is a weighted sum of the case's fields (a number on its own scale, with bends; a word by its value), told as a
chance. What it is worth stands beside it: cases it had not seen, by the chance it gave them, and how many of those were
wrong. All that is shown to people comes from those counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import asinh, exp
from typing import Any

from orchestration.holds.likeness import Plain
from orchestration.lib.stats import ENOUGH, wilson

Model = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """Wrong ones among some cases if all are approved. `of`: judged cases like them, by which it is known."""

    wrong: float
    low: float
    high: float
    of: int


def chance(model: Model, fields: Mapping[str, Plain]) -> float:
    total: float = model["bias"]
    for name in (*model["numbers"], *model["words"]):
        total += says(model, name, fields.get(name)) or 0.0
    return 1 / (1 + exp(-max(-30.0, min(30.0, total))))


def says(model: Model, name: str, value: Plain | None) -> float | None:
    """What a value adds to the chance, in log odds; None where the model knows nothing of the field."""
    told = model["numbers"].get(name)
    if told is None:
        weights = model["words"].get(name)
        return None if weights is None else float(weights.get(word(value), 0.0))
    if not isinstance(value, float):
        return float(told["absent"])
    at = scaled(value, log=told["log"], middle=told["middle"], scale=told["scale"])
    return float(told["weight"] * at + sum(weight * max(0.0, at - bend) for bend, weight in told["bends"]))


def scaled(value: float, *, log: bool, middle: float, scale: float) -> float:
    """Bounded: a value far beyond what was seen says no more than one somewhat beyond."""
    return max(-4.0, min(4.0, ((asinh(value * 50) if log else value) - middle) / scale))


def word(value: Plain | None) -> str:
    """A value that is no number, as a model names it."""
    if isinstance(value, list):
        return "+".join(value)
    return str(value).casefold()


def may_start_selected(model: Model | None, risk: float | None) -> bool:
    """Where nothing is known nothing speaks against it; where it is, only what people nearly always let pass."""
    return model is None or risk is None or risk <= model["cut"]


def expected(model: Model | None, risks: Iterable[float | None]) -> Expected | None:
    """None where too little is known of such cases."""
    if model is None:
        return None
    wrong = low = high = 0.0
    seen: dict[int, int] = {}
    bins = model["bins"]
    for risk in risks:
        if risk is None:
            return None
        place = min(bisect_left([upto for upto, _, _ in bins], risk), len(bins) - 1)
        _, n, bad = bins[place]
        bounds = wilson(bad, n)
        if bounds is None or n < ENOUGH:
            return None
        seen[place] = n
        wrong, low, high = wrong + bad / n, low + bounds[0], high + bounds[1]
    return Expected(wrong, low, high, sum(seen.values())) if seen else None
