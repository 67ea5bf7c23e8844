"""What would have to be true for an act to pass: the nearest variant of its facts that the rules allow, found by asking
the rules themselves. Pure.

One thing is changed at a time: the amount lowered as little as possible, one yes turned into a no or back, one kind of
evidence added, one unknown fact known. A variant is told only when the rules, asked again, really let it pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.policies.effects import Effect, Kind
from orchestration.policies.evaluate import Rule, evaluate
from orchestration.policies.syntax import resolve

AMOUNT = "action.amount"
KINDS, COUNT = "evidence.kinds", "evidence.count"
SENT = ("context.", "action.arguments.", "customer.")  # what an agent may still say, if it finds out
CENT = 0.01
HALVINGS = 40
MOST = 6  # variants told
MOST_TRIED = 60


@dataclass(frozen=True, slots=True)
class Variant:
    """`name`: the fact; `value`: what it would have to be. For evidence the kind that would have to be among it."""

    name: str
    value: Any


def nearest(rules: Sequence[Rule], facts: Mapping[str, Any], default: Effect) -> list[Variant]:
    """The lowered amount first. Nothing where the act passes as it is, or where no single change lets it."""
    mine = [rule for rule in rules if rule.scope.takes(facts)]

    def passes(changed: Mapping[str, Any]) -> bool:
        return evaluate(mine, changed, default).effect.kind is Kind.ALLOW

    if passes(facts):
        return []
    found = [Variant(AMOUNT, amount)] if (amount := _lower(mine, facts, passes)) is not None else []
    for tried, (variant, changed) in enumerate(_single(mine, facts)):
        if len(found) == MOST or tried == MOST_TRIED:
            break
        if passes(changed):
            found.append(variant)
    return found


def _lower(rules: Sequence[Rule], facts: Mapping[str, Any], passes: Any) -> float | None:
    """The largest amount below the asked one that passes: at what the rules name as a bound, else by halving. An amount
    is what a rule may read in any way, so each candidate is asked."""
    asked = facts.get(AMOUNT)
    if not isinstance(asked, int | float) or isinstance(asked, bool) or asked <= CENT:
        return None
    numbers = {float(value) for value in _numbers(rules) if 0 < value < asked}
    near = sorted({each for value in numbers for each in (value, value - CENT)}, reverse=True)
    best = next((each for each in near if each > 0 and passes({**facts, AMOUNT: round(each, 4)})), None)
    halved = _halved(facts, float(asked), passes, best or CENT)
    found = max((each for each in (best, halved) if each is not None), default=None)
    return None if found is None else round(found, 2)


def _halved(facts: Mapping[str, Any], asked: float, passes: Any, low: float) -> float | None:
    if not passes({**facts, AMOUNT: low}):
        return None
    high = asked
    for _ in range(HALVINGS):
        if high - low <= CENT:
            break
        middle = round((low + high) / 2, 2)
        if middle in (low, high):
            break
        low, high = (middle, high) if passes({**facts, AMOUNT: middle}) else (low, middle)
    return low


def _single(rules: Sequence[Rule], facts: Mapping[str, Any]) -> Iterator[tuple[Variant, dict[str, Any]]]:
    reads = sorted({path for rule in rules for path in rule.program.reads})
    for path in reads:
        value = value_of(facts, path)
        if isinstance(value, bool):
            yield Variant(path, not value), changed(facts, path, not value)
    if KINDS in reads or COUNT in reads:
        had = list(facts.get(KINDS) or [])
        for kind in [text for text in _texts(rules) if text not in had]:
            more = {**facts, KINDS: [*had, kind], COUNT: float(facts.get(COUNT) or len(had)) + 1}
            yield Variant(KINDS, kind), more
    for path in reads:
        if path.startswith(SENT) and not resolve(facts, path):
            for value in (True, False):
                yield Variant(path, value), changed(facts, path, value)


def value_of(facts: Mapping[str, Any], path: str) -> Any:
    """What a dotted path of a rule leads to; None where it is not known."""
    names = path.split(".")
    for length in range(len(names), 0, -1):
        head = ".".join(names[:length])
        if head in facts:
            value: Any = facts[head]
            for key in names[length:]:
                value = value.get(key) if isinstance(value, Mapping) else None
            return value
    return None


def changed(facts: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The same facts with one of them set; maps on the way are copied."""
    names = path.split(".")
    for length in range(len(names), 0, -1):
        head = ".".join(names[:length])
        if head in facts:
            return {**facts, head: _set(facts[head], names[length:], value)}
    return {**facts, path: value}


def _set(held: Any, keys: list[str], value: Any) -> Any:
    if not keys:
        return value
    inner = dict(held) if isinstance(held, Mapping) else {}
    inner[keys[0]] = _set(inner.get(keys[0]), keys[1:], value)
    return inner


def _numbers(rules: Sequence[Rule]) -> list[float]:
    found = [value for rule in rules for value in rule.limits.values()]
    for rule in rules:
        values = [node.value for node in rule.program.tree.walk() if node.kind == "const"]
        found += [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return found


def _texts(rules: Sequence[Rule]) -> list[str]:
    """Words that rules compare evidence with."""
    found = []
    for rule in rules:
        if KINDS in rule.program.reads:
            found += [node.value for node in rule.program.tree.walk() if node.kind == "const"]
    return [text for text in dict.fromkeys(found) if isinstance(text, str)]
